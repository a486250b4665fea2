# What tools/setup, tools/quickstart and tools/check share. Sourced, never run.
# shellcheck shell=bash
# shellcheck disable=SC2034

# Debian's meson, ninja and python3, whatever else stands first on the PATH.
PATH=/usr/bin:/bin:$PATH
export PATH

program=tools/${0##*/}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kith
faiss_version=1.7.3-2
faiss_prefix=$cache/faiss-$faiss_version

die() {
    printf '%s: %s\n' "$program" "$*" >&2
    exit 1
}

heading() {
    printf '\n==> %s\n' "$*"
}

# show COMMAND...: prints the command as a reader would type it, then runs it.
show() {
    local word line='$'
    for word in "$@"; do
        case $word in
            '' | *[!A-Za-z0-9_./:=,+@%-]*) line+=" ${word@Q}" ;;
            *) line+=" $word" ;;
        esac
    done
    printf '%s\n' "$line"
    "$@"
}

# configure FOLDER NAME=VALUE...: makes the build folder with these meson options,
# or gives an existing one those that differ. Run it in the project's root.
configure() {
    local folder=$1 option
    local -a options=()
    shift
    for option in "faiss_prefix=$faiss_prefix" "$@"; do
        options+=("-D$option")
    done
    if [ ! -f "$folder/build.ninja" ]; then
        show meson setup "$folder" "${options[@]}"
        return
    fi
    for option in "faiss_prefix=$faiss_prefix" "$@"; do
        if ! grep -qxF "${option%%=*} = ${option#*=}" \
            "$folder/meson-private/cmd_line.txt"; then
            show meson configure "$folder" "${options[@]}"
            return
        fi
    done
}
