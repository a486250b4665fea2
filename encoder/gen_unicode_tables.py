#!/usr/bin/env python3
"""Write unicode_tables.c: the classes of characters that the tokenizer knows.

    gen_unicode_tables.py UCD > unicode_tables.c

UCD is a folder with UnicodeData.txt and DerivedAge.txt of Unicode 15.0, such as
/usr/share/unicode of Debian's package unicode-data.

The reference tokenizer takes general categories from a table of 2015, Unicode 8, white
space from its language's current library, and ideographs from a list in its source. So
a code point that was assigned after Unicode 8 counts as unassigned, a plain letter.
"""
import sys

UNICODE_8 = (8, 0)

# The categories that Unicode 8 gave to code points whose category has changed since.
CATEGORY_IN_UNICODE_8 = {
    0x166D: "Po", 0x1734: "Mn", 0x1885: "Lo", 0x1886: "Lo", 0xA9BD: "Mc", 0x111C9: "Po",
}

# The property White_Space.
WHITE_SPACE = {
    *range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028,
    0x2029, 0x202F, 0x205F, 0x3000,
}

# As the reference has them: 2B920 is not the beginning of its block, which is 2B820.
IDEOGRAPHS = [
    (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F), (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF), (0x2F800, 0x2FA1F),
]

# kenc_class in unicode_tables.h
LETTER, SPACE, REMOVED, REMOVED_SPACE, PUNCTUATION, ACCENT, IDEOGRAPH = range(7)


def read_categories(ucd):
    categories = {}
    first = None
    with open(ucd + "/UnicodeData.txt", encoding="utf-8") as lines:
        for line in lines:
            code_point, name, category = line.split(";")[:3]
            last = int(code_point, 16)
            if name.endswith("First>"):
                first = last
                continue
            begin = first if name.endswith("Last>") else last
            categories.update(dict.fromkeys(range(begin, last + 1), category))
    return categories


def read_ages(ucd):
    ages = {}
    with open(ucd + "/DerivedAge.txt", encoding="utf-8") as lines:
        for line in lines:
            fields = line.split("#")[0].split(";")
            if len(fields) == 2:
                bounds = fields[0].strip().split("..")
                age = tuple(int(number) for number in fields[1].split("."))
                ages.update(dict.fromkeys(range(int(bounds[0], 16),
                                                int(bounds[-1], 16) + 1), age))
    return ages


def is_ascii_symbol(code_point):
    return 0x20 < code_point < 0x7F and not chr(code_point).isalnum()


def class_of(code_point, category):
    if code_point in (0x0B, 0x0C, 0x85):
        return REMOVED_SPACE
    if code_point in WHITE_SPACE:
        return SPACE
    if category in ("Cc", "Cf", "Co") or code_point == 0xFFFD:
        return REMOVED
    if category == "Mn":
        return ACCENT
    if category[0] == "P" or is_ascii_symbol(code_point):
        return PUNCTUATION
    if any(first <= code_point <= last for first, last in IDEOGRAPHS):
        return IDEOGRAPH
    return LETTER


def class_changes(ucd):
    categories = read_categories(ucd)
    ages = read_ages(ucd)
    changes = []
    previous = None
    for code_point in range(0x110000):
        known = ages.get(code_point, (99,)) <= UNICODE_8
        category = categories.get(code_point, "Cn") if known else "Cn"
        current = class_of(code_point, CATEGORY_IN_UNICODE_8.get(code_point, category))
        if current != previous:
            changes.append((code_point, current))
            previous = current
    return changes


def print_table(numbers, form, a_line):
    for i in range(0, len(numbers), a_line):
        print("   ", " ".join(form % number + "," for number in numbers[i:i + a_line]))
    print("};")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    changes = class_changes(sys.argv[1])
    pages = [sum(1 for first, _ in changes if first <= page << 8) - 1
             for page in range(257)]
    print("/* Made by gen_unicode_tables.py from UnicodeData.txt and DerivedAge.txt\n"
          " * of Unicode 15.0; do not edit. */")
    print('#include "unicode_tables.h"\n')
    print("const uint32_t kenc_class_changes[] = {")
    print_table([first << 8 | value for first, value in changes], "0x%07x", 7)
    print("const size_t kenc_n_class_changes = %d;\n" % len(changes))
    print("const uint16_t kenc_class_pages[257] = {")
    print_table(pages, "%d", 14)


main()
