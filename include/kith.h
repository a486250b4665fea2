/* kith: find similar sentences.
 *
 * A text encoder (the all-MiniLM-L6-v2 family), an exact and an approximate nearest
 * neighbour index, and a durable store of records, in one library.
 *
 * Three ways to use it
 *
 *   1. Vectors only. kith_model_open(), kith_model_encode(), kith_model_close().
 *   2. A collection. kith_collection_open(), then kith_writer_begin(), kith_writer_add(),
 *      kith_writer_commit() to fill it and kith_search() to ask it.
 *   3. A collection with vectors that you computed yourself: make it with
 *      kith_collection_opts.dim and no model, add kith_input.vector, ask with
 *      kith_query.vector.
 *
 * Conventions
 *
 *   Every function that can fail returns a kith_status and takes a kith_error *err as its
 *   last argument; err may be NULL and is written only on failure. Texts are UTF-8 bytes
 *   with an explicit length; a NUL byte is data. Handles are opaque; a _close or _free
 *   function accepts NULL and cannot fail. Structures of options start with a size field:
 *   initialise them with their _INIT macro. A vector is `dim` floats of unit length.
 *   A score is the cosine of two vectors, in [-1, 1], higher is nearer.
 *
 * Promises
 *
 *   The same text and model give the same bits, whatever the batch, the order, the number
 *   of threads or the instruction set. If k matching records exist, k come back. An answer
 *   says whether it is exact, and if not, at what measured recall it was found.
 *
 * Caveats
 *
 *   - x86-64 with AVX2 and FMA, or aarch64; another CPU gives KITH_UNSUPPORTED.
 *   - LMDB forbids opening one environment twice in a process: the library keeps a
 *     process-wide registry and shares them. Do not open data.mdb by other means.
 *   - Handles do not survive fork(): a child gets KITH_INVALID from any call on one.
 *   - Keep collections on a local file system. LMDB does not work on network file systems.
 *   - FAISS, in the separately loaded libkith-faiss.so, may end the process when memory runs
 *     out. A query answered by exact scan never loads it.
 *   - OpenBLAS reads OPENBLAS_CORETYPE when it is first loaded. Version 0.3.21 does not know
 *     newer CPUs and then runs several times slower: set that variable (for example to
 *     SkylakeX on a CPU with AVX-512) before the first call that uses the approximate index.
 *     OMP_WAIT_POLICY=passive keeps OpenMP's threads from spinning on a busy machine.
 *
 * Since: 0.1, all of it.
 */
#ifndef KITH_H
#define KITH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default) /* the library itself is built hidden */
#endif

#define KITH_VERSION_MAJOR 0
#define KITH_VERSION_MINOR 1
#define KITH_VERSION_PATCH 0

/* ---------------------------------------------------------------- status and error */

/* One code for each decision that a caller can make. */
typedef enum kith_status {
    KITH_OK = 0,
    KITH_NOT_FOUND = -1,   /* no such file, collection, model or record */
    KITH_EXISTS = -2,      /* it is there already */
    KITH_INVALID = -3,     /* an argument or an input is not acceptable */
    KITH_CORRUPT = -4,     /* a file is damaged: a length or checksum does not hold */
    KITH_VERSION = -5,     /* a file of another format version */
    KITH_MISMATCH = -6,    /* a collection that was made with another model */
    KITH_BUSY = -7,        /* another writer holds the collection */
    KITH_FULL = -8,        /* no space left, or a fixed limit reached */
    KITH_NOMEM = -9,       /* out of memory */
    KITH_IO = -10,         /* the system refused a read or a write */
    KITH_INTERRUPTED = -11, /* a callback asked to stop */
    KITH_UNSUPPORTED = -12 /* not offered by this build, CPU or model class */
} kith_status;

/* Filled on failure. Fixed size, so that it works when memory is out. */
typedef struct kith_error {
    kith_status code;
    int sys_errno;      /* errno of the system call that failed, or 0 */
    char message[496];  /* one line: what, where, what to do; NUL-terminated */
} kith_error;

/* The name of a status, such as "not found". A static string; never NULL. */
const char *kith_status_name(kith_status status);

/* The version of the library, such as "0.1.0". A static string. */
const char *kith_version(void);

/* The sets of kernels that this CPU offers, slowest first, with a blank between them, such
 * as "portable avx2"; empty on a CPU that is not supported. A static string.
 * Thread-safe: yes. */
const char *kith_kernels(void);

/* ---------------------------------------------------------------- model */

/* A text encoder, read from a .kmodel file that is mapped into memory. */
typedef struct kith_model kith_model;

/* How the vectors of a text's tokens become one vector. */
typedef enum kith_pooling {
    KITH_POOLING_DEFAULT = 0, /* as the model's own files say */
    KITH_POOLING_MEAN = 1,    /* mean over all tokens, specials included */
    KITH_POOLING_CLS = 2,     /* the vector of the first token */
    KITH_POOLING_MAX = 3,     /* the largest value of each dimension */
    KITH_POOLING_POOLER = 4   /* the first token through the BERT pooler: linear, tanh */
} kith_pooling;

typedef enum kith_precision {
    KITH_PRECISION_DEFAULT = 0, /* int8 */
    KITH_PRECISION_FP32 = 1,    /* within 2e-5 of the reference implementation */
    KITH_PRECISION_INT8 = 2     /* products of 8 bits: 3 times as fast with VNNI, 1.25
                                 * times with AVX2 alone; mean cosine to fp32 0.9994 */
} kith_precision;

typedef struct kith_model_opts {
    size_t size;
    kith_precision precision;
    unsigned n_threads; /* 0: one a processor that this process may use */
    const char *cpu;    /* kernels: NULL for the best, or one of "portable", "avx2",
                         * "avxvnni", "avx512", "avx512vnni", "amx": kith_kernels() */
} kith_model_opts;

#define KITH_MODEL_OPTS_INIT { sizeof(kith_model_opts), KITH_PRECISION_DEFAULT, 0, NULL }

typedef struct kith_model_info {
    const char *name;        /* as given at import */
    const char *kernels;     /* instruction set in use, such as "avx512" */
    const char *fingerprint; /* 32 hex digits: what decides the vectors */
    uint32_t dim;            /* floats in a vector */
    uint32_t max_tokens;     /* of a text or pair, [CLS] and [SEP] included */
    uint32_t n_layers;
    uint32_t n_heads;
    uint32_t hidden;
    uint32_t intermediate;
    uint32_t vocabulary;
    kith_pooling pooling; /* never KITH_POOLING_DEFAULT */
    kith_precision precision;
    bool normalizes;  /* vectors have unit length */
    bool has_pooler;  /* KITH_POOLING_POOLER is possible */
    bool lowercases;
    uint64_t file_bytes;
    const char *sources; /* "SHA256  NAME" of each file that was imported, a line each */
    const char *model_class; /* "bert" or "distilbert" */
    uint32_t n_dense;        /* Dense modules between pooling and vector */
    const char *query_prompt; /* what is put before a query, or "" */
    const char *passage_prompt;
    uint32_t n_labels; /* scores of a pair; 0: an encoder. Else a cross-encoder, whose
                        * dim is 0 and pooling KITH_POOLING_POOLER */
    bool has_sigmoid;  /* kith_model_score() gives the sigmoid of the logits */
} kith_model_info;

typedef struct kith_model_import_opts {
    size_t size;
    const char
        *query_prompt; /* instead of the one in the model's files; NULL: that one */
    const char *passage_prompt;
} kith_model_import_opts;

#define KITH_MODEL_IMPORT_OPTS_INIT { sizeof(kith_model_import_opts), NULL, NULL }

/* Turn a sentence-transformers folder into one .kmodel file.
 *
 * BERT and DistilBERT encoders with a WordPiece vocabulary, with the modules
 * Transformer, Pooling, and then Dense and Normalize as modules.json lists them; and
 * cross-encoders (BertForSequenceClassification, DistilBertForSequenceClassification),
 * which kith_model_score() uses.
 *
 * Reads config.json, model.safetensors, tokenizer.json or vocab.txt,
 * tokenizer_config.json, modules.json, the config.json of each module,
 * model.safetensors of Dense modules, sentence_bert_config.json and
 * config_sentence_transformers.json, whose prompts become the model's: "query"; the
 * first of "document", "passage" and "corpus" that is not empty. A module's folder is
 * one beside modules.json. Nothing in them is executed, no other file is followed. The
 * file is written under a temporary name, synced and renamed.
 *
 * dir       [in] the folder
 * name      [in] the model's name, [A-Za-z0-9._-]{1,64}
 * out_path  [in] the file to write; an existing one is replaced
 * opts      [in, may be NULL] prompts of at most 1,024 bytes
 * Returns KITH_OK; KITH_NOT_FOUND (folder or a needed file); KITH_CORRUPT
 * (safetensors); KITH_UNSUPPORTED (class, module, tokenizer or activation that kith
 * does not know: the message has the file and the key); KITH_INVALID (name, a key that
 * is missing, shapes or numbers that contradict each other, a prompt that leaves less
 * than half of the tokens); KITH_IO; KITH_FULL; KITH_NOMEM. Thread-safe: yes. Cost:
 * reads and writes the weights once, runs the model over sample texts, for int8 and for
 * kith_model_test(): seconds for MiniLM-L6. */
kith_status kith_model_import(const char *dir, const char *name, const char *out_path,
                              const kith_model_import_opts *opts, kith_error *err);

/* Open a .kmodel file.
 *
 * Maps the file; checks its size, header, section table and the checksum of the weights of
 * this precision. The embedding of a word is checked when a text first needs it, all of the
 * file by kith_model_verify().
 *
 * path   [in] the file
 * opts   [in, may be NULL] precision, threads, kernels
 * model  [out] close with kith_model_close()
 * Returns KITH_OK; KITH_NOT_FOUND; KITH_CORRUPT; KITH_VERSION; KITH_UNSUPPORTED (CPU,
 * kernels or precision); KITH_IO; KITH_NOMEM.
 * Thread-safe: yes. Cost: a few milliseconds; starts no thread. */
kith_status kith_model_open(const char *path, const kith_model_opts *opts,
                            kith_model **model, kith_error *err);

/* Close a model. NULL is a no-op. No collection may still use it. */
void kith_model_close(kith_model *model);

/* Facts about a model. Pointers in the result live as long as the model.
 * Thread-safe: yes. */
void kith_model_get_info(const kith_model *model, kith_model_info *info);

/* Check every section of the file against its checksum, embedding rows included.
 * Returns KITH_OK; KITH_CORRUPT. Thread-safe: yes. Cost: reads the whole file. */
kith_status kith_model_verify(const kith_model *model, kith_error *err);

/* What kith_model_test() found. */
typedef struct kith_model_test_result {
    uint32_t n_texts;
    uint32_t n_tokens;         /* of all texts, [CLS] and [SEP] included */
    bool is_equal;             /* every bit is as it was stored */
    double largest_difference; /* of a number to the stored one */
    double cosine; /* of the vectors to those stored for fp32: the mean over the texts;
                    * of a cross-encoder, of the logits of all pairs */
    double tokens_per_second;
} kith_model_test_result;

/* Encode the sample texts in the model file (with a cross-encoder: score each with the
 * next one) with the kernels, precision and threads that the model was opened with, and
 * compare the vectors with those that the portable kernels gave when the model was
 * imported: bit for bit the same, or something is wrong with this machine or this
 * build.
 *
 * result  [out] filled when the texts were encoded, which with KITH_CORRUPT is so if
 *         n_texts is not 0
 * Returns KITH_OK; KITH_CORRUPT (other vectors; the section of the self-test or the
 * embedding of a word is damaged); KITH_VERSION (imported by a kith that gives other
 * bits); KITH_NOMEM. Thread-safe: yes; other calls on the model wait. Cost: a third of
 * a second, or as long as about a thousand tokens take. */
kith_status kith_model_test(kith_model *model, kith_model_test_result *result,
                            kith_error *err);

/* A text: UTF-8 bytes and their number. Bytes that are not UTF-8 count as U+FFFD. */
typedef struct kith_text {
    const char *data;
    size_t n_bytes;
} kith_text;

/* What a model wants to be put before a text. Collections do it by themselves: records
 * are passages, texts that are searched for are queries. */
typedef enum kith_prompt {
    KITH_PROMPT_NONE = 0,
    KITH_PROMPT_QUERY = 1,  /* kith_model_info.query_prompt */
    KITH_PROMPT_PASSAGE = 2 /* kith_model_info.passage_prompt */
} kith_prompt;

typedef struct kith_encode_opts {
    size_t size;
    kith_pooling pooling; /* KITH_POOLING_DEFAULT is normalised as the model says, every
                           * other one is returned as it is (not normalised); Dense
                           * modules follow on each */
    kith_prompt prompt;
} kith_encode_opts;

#define KITH_ENCODE_OPTS_INIT \
    { sizeof(kith_encode_opts), KITH_POOLING_DEFAULT, KITH_PROMPT_NONE }

/* Encode texts into vectors.
 *
 * texts      [in] n_texts texts
 * opts       [in, may be NULL]
 * vectors    [out] n_texts x dim floats, row after row, caller-owned
 * n_dropped  [out, may be NULL] n_texts numbers: tokens that did not fit and were cut
 * Returns KITH_OK; KITH_INVALID (no pooler in this model; a cross-encoder);
 * KITH_CORRUPT (the embedding of a word); KITH_NOMEM. Thread-safe: yes; calls on one
 * model wait for each other. Cost: about 21 MFLOP a token for MiniLM-L6, no padding:
 * the length of a text costs nothing to its neighbours. */
kith_status kith_model_encode(kith_model *model, const kith_text *texts, size_t n_texts,
                              const kith_encode_opts *opts, float *vectors,
                              uint32_t *n_dropped, kith_error *err);

/* Two texts that a cross-encoder reads together, such as a query and a passage. */
typedef struct kith_text_pair {
    kith_text first;
    kith_text second;
} kith_text_pair;

typedef struct kith_score_opts {
    size_t size;
    bool logits; /* as the classifier gives them, without the sigmoid of a model that
                  * has one (kith_model_info.has_sigmoid) */
} kith_score_opts;

#define KITH_SCORE_OPTS_INIT { sizeof(kith_score_opts), false }

/* Score pairs of texts with a cross-encoder.
 *
 * A pair is read as [CLS] first [SEP] second [SEP]. Where that is more than max_tokens,
 * the longer text is cut until both are of a length, then both ("longest_first").
 *
 * pairs      [in] n_pairs pairs
 * opts       [in, may be NULL]
 * scores     [out] n_pairs x n_labels floats, row after row, caller-owned: logits, or
 *            with has_sigmoid numbers from 0 to 1
 * n_dropped  [out, may be NULL] n_pairs numbers: tokens of both that were cut
 * Returns KITH_OK; KITH_INVALID (no cross-encoder: n_labels is 0); KITH_CORRUPT (the
 * embedding of a word); KITH_NOMEM. The same pair and model give the same bits, as with
 * vectors. Thread-safe: yes; calls on one model wait for each other. Cost: that of
 * encoding as many tokens. */
kith_status kith_model_score(kith_model *model, const kith_text_pair *pairs,
                             size_t n_pairs, const kith_score_opts *opts, float *scores,
                             uint32_t *n_dropped, kith_error *err);

/* The word pieces of one text. */
typedef struct kith_tokens {
    size_t n_tokens;      /* [CLS] and [SEP] included */
    uint32_t *ids;
    uint64_t *first;      /* byte offset of each piece in the text; specials: 0 and n_bytes */
    uint64_t *last;       /* one past its last byte */
    size_t n_dropped;     /* tokens that did not fit and were cut */
} kith_tokens;

/* Split a text into word pieces, as the reference (Hugging Face fast) tokenizer does.
 *
 * truncate  [in] true: cut at the model's max_tokens, as kith_model_encode() does
 * tokens    [out] free with kith_tokens_free()
 * Returns KITH_OK; KITH_NOMEM. Thread-safe: yes. Cost: linear in the length. */
kith_status kith_model_tokenize(const kith_model *model, kith_text text, bool truncate,
                                kith_tokens *tokens, kith_error *err);

/* Release what kith_model_tokenize() filled in. NULL is a no-op. */
void kith_tokens_free(kith_tokens *tokens);

/* Encode texts that are split already.
 *
 * texts    [in] n_texts of them; only ids and n_tokens are looked at. What
 *          kith_model_tokenize() gave, truncated, gets the vectors of kith_model_encode(), bit
 *          for bit. Nothing is added to other ids: [CLS] and [SEP] are to be among them.
 * opts     [in, may be NULL] prompt must be KITH_PROMPT_NONE
 * vectors  [out] n_texts x dim floats, row after row, caller-owned
 * Returns as kith_model_encode(); KITH_INVALID also for a text of no token or of more than
 * max_tokens, and for an id out of the vocabulary. Thread-safe: yes; calls on one model
 * wait for each other. */
kith_status kith_model_encode_tokenized(kith_model *model, const kith_tokens *texts,
                                        size_t n_texts, const kith_encode_opts *opts,
                                        float *vectors, kith_error *err);

/* The spelling of a token, such as "##ing"; not NUL-terminated. An id out of range gives
 * an empty text. The bytes live as long as the model. Thread-safe: yes. */
kith_text kith_model_token(const kith_model *model, uint32_t id);

/* The pieces of a text, and what the model makes of each in this text. */
typedef struct kith_token_vectors {
    kith_tokens tokens; /* as kith_model_tokenize() gives them, truncated */
    float *vectors;     /* tokens.n_tokens x hidden (kith_model_info), row after row */
} kith_token_vectors;

/* Encode texts, a vector a token: the rows of the last layer, which kith_model_encode()
 * pools. Not normalised.
 *
 * texts   [in] n_texts texts
 * tokens  [out] n_texts results; free each with kith_token_vectors_free(). After a failure
 *         there is nothing to free.
 * Returns KITH_OK; KITH_INVALID (after fork()); KITH_CORRUPT (the embedding of a word);
 * KITH_NOMEM.
 * Thread-safe: yes; calls on one model wait for each other. Cost: as kith_model_encode();
 * all results are in memory, 400 KB for a text of 256 tokens with MiniLM. */
kith_status kith_model_encode_tokens(kith_model *model, const kith_text *texts,
                                     size_t n_texts, kith_token_vectors *tokens,
                                     kith_error *err);

/* Release what kith_model_encode_tokens() filled in for one text. NULL is a no-op. */
void kith_token_vectors_free(kith_token_vectors *tokens);

/* A place in a text where a word stands. */
typedef struct kith_occurrence {
    uint64_t first;  /* byte offset in the text */
    uint64_t last;   /* one past its last byte */
    size_t token;    /* its first piece, as kith_model_tokenize() counts them */
    size_t n_tokens; /* its pieces */
} kith_occurrence;

typedef struct kith_word_vectors {
    size_t n_occurrences;
    kith_occurrence *occurrences; /* in the order of the text */
    float *vectors; /* n_occurrences x hidden (kith_model_info), row after row; or NULL */
    size_t n_cut;   /* further ones, which do not fit, or not with all their pieces */
} kith_word_vectors;

/* Encode a word as it is meant in each text: for each occurrence the mean of the vectors
 * of its pieces (kith_model_encode_tokens()). Not normalised.
 *
 * A word is what the tokenizer takes for one: what lies between white space and marks of
 * punctuation, normalised, which for most models is in lower case and without accents. It
 * occurs where a whole word of the text, normalised in the same way, is the same: "bank"
 * in "Bank" and in "bank-note", not in "banks". What the tokenizer splits into several
 * words ("New York", "don't") occurs where these follow one another, whatever white space
 * is between; occurrences do not overlap.
 *
 * texts  [in] n_texts texts
 * word   [in] what to look for
 * out    [out] n_texts results, of no occurrence where the word is not in the text; free
 *        each with kith_word_vectors_free(). After a failure there is nothing to free.
 * Returns KITH_OK; KITH_INVALID (a word of which nothing is left when it is normalised, or
 * longer than the tokenizer takes, 100 characters for most; after fork()); KITH_CORRUPT
 * (the embedding of a word); KITH_NOMEM.
 * Thread-safe: yes; calls on one model wait for each other. Cost: as kith_model_encode()
 * for the texts that have the word; others are tokenized alone. */
kith_status kith_model_encode_word(kith_model *model, const kith_text *texts,
                                   size_t n_texts, kith_text word, kith_word_vectors *out,
                                   kith_error *err);

/* Release what kith_model_encode_word() filled in for one text. NULL is a no-op. */
void kith_word_vectors_free(kith_word_vectors *word);

/* Average the embeddings that the model begins with, over the pieces of each text: what
 * the words say without their order and context. Not normalised. Only the [CLS] and [SEP]
 * that the tokenizer adds are left out; an unknown word counts as [UNK]. A text is not cut,
 * however long.
 *
 * texts           [in] n_texts texts
 * drop_stopwords  [in] leave out English words that say little by themselves, such as "the";
 *                 docs/man/kith.1 lists them. Words are compared as the tokenizer
 *                 normalises them, whatever their case.
 * vectors         [out] n_texts x hidden (kith_model_info) floats, row after row,
 *                 caller-owned; zeros for a text of which no piece is left
 * n_pieces        [out, may be NULL] n_texts numbers: the pieces averaged
 * Returns KITH_OK; KITH_INVALID (after fork()); KITH_CORRUPT (an embedding); KITH_NOMEM.
 * Thread-safe: yes. Cost: linear in the length, a microsecond a piece; the model is not
 * run. */
kith_status kith_model_encode_static(const kith_model *model, const kith_text *texts,
                                     size_t n_texts, bool drop_stopwords, float *vectors,
                                     size_t *n_pieces, kith_error *err);

/* ---------------------------------------------------------------- collection */

/* Records, their vectors and an index, in a folder NAME.kith. */
typedef struct kith_collection kith_collection;

typedef struct kith_collection_opts {
    size_t size;
    bool create;    /* make it when it is not there; needs a model or `dim` */
    bool read_only; /* no writer will be begun on this handle */
    unsigned n_threads; /* for search; 0: one a processor */
    const char *cpu;    /* kernels of the scan: as in kith_model_opts */
    uint32_t dim;   /* numbers in a vector, 1 to 65,536, for making a collection of
                     * vectors that come from outside, without a model; one that is
                     * there must have as many. 0: the model's, or the collection's */
} kith_collection_opts;

#define KITH_COLLECTION_OPTS_INIT \
    { sizeof(kith_collection_opts), false, false, 0, NULL, 0 }

/* Open a collection.
 *
 * path   [in] the folder
 * model  [in, may be NULL] encodes records and queries; borrowed, must outlive the
 *        collection. Its fingerprint must be the collection's; one that was made
 *        without a model takes none. Without a model only reading, deleting, adding
 *        with given vectors and search by vector or by record are possible.
 * Returns KITH_OK; KITH_NOT_FOUND; KITH_MISMATCH (another model or dim); KITH_CORRUPT;
 * KITH_VERSION; KITH_BUSY (another process is just creating it); KITH_IO; KITH_NOMEM;
 * KITH_INVALID.
 * Whatever is done with the collection later begins with a look at its folder, since a
 * compaction may have replaced the files. So it may fail in the same ways: with
 * KITH_NOT_FOUND when the folder was removed or renamed, with KITH_MISMATCH when a
 * collection of another model took its place. The working folder does not matter.
 * Thread-safe: yes. Cost: under a millisecond; maps files, reads none of the vectors. */
kith_status kith_collection_open(const char *path, kith_model *model,
                                 const kith_collection_opts *opts,
                                 kith_collection **collection, kith_error *err);

/* Close a collection. NULL is a no-op. Close its writers, cursors and results first. */
void kith_collection_close(kith_collection *collection);

/* What a collection was made with, for finding its model before opening it with one.
 * Without a model, name and fingerprint are empty and the precision is
 * KITH_PRECISION_DEFAULT. */
typedef struct kith_collection_model {
    char name[65];
    char fingerprint[33];
    uint32_t dim;
    kith_precision precision;
} kith_collection_model;

/* Read that without opening the collection.
 * Returns as kith_collection_open(). Thread-safe: yes. */
kith_status kith_collection_get_model(const char *path, kith_collection_model *model,
                                      kith_error *err);

/* One measured point of the approximate index. */
typedef struct kith_recall_point {
    uint32_t k;
    uint32_t nprobe; /* lists visited; 0 for an index without lists */
    double recall;   /* lower 95 % bound, for queries like the records */
} kith_recall_point;

#define KITH_MAX_RECALL_POINTS 96

typedef struct kith_collection_info {
    uint64_t n_records;
    uint64_t n_passages;   /* live rows */
    uint64_t n_rows;       /* rows ever written in this generation, dead ones included */
    uint64_t n_sources;
    kith_collection_model model;
    /* The approximate index; kind "exact" when there is none. */
    char index_kind[16];
    char index_factory[64];
    char index_problem[128]; /* why a derived file is not used, or empty */
    uint64_t index_covers;   /* rows */
    size_t n_recall;
    kith_recall_point recall[KITH_MAX_RECALL_POINTS];
    uint64_t bytes_store;   /* allocated on disk */
    uint64_t bytes_vectors;
    uint64_t bytes_derived;
    /* Postings of the metadata, for filters. */
    uint64_t fields_covers;   /* rows; 0 when there are none */
    char fields_problem[128]; /* why the derived file is not used, or empty */
} kith_collection_info;

/* Returns KITH_OK; KITH_CORRUPT; KITH_IO. Thread-safe: yes. */
kith_status kith_collection_get_info(kith_collection *collection,
                                     kith_collection_info *info, kith_error *err);

/* Read all of a collection, the derived files included, and compare it with its checksums:
 * the pages of the store, the vectors, the records and their keys with each other.
 *
 * Returns KITH_OK; KITH_CORRUPT and KITH_VERSION (the first thing that is wrong; what is
 * derived comes last: without it everything else is whole); KITH_UNSUPPORTED
 * (libkith-faiss.so cannot be loaded); KITH_IO; KITH_NOMEM.
 * Thread-safe: yes; writers and searches go on. Cost: reads every byte once. */
kith_status kith_collection_verify(kith_collection *collection, kith_error *err);

typedef struct kith_measure_opts {
    size_t size;
    uint32_t n_queries; /* 1 to 1,000,000 */
    /* Told how far it is; may be NULL. */
    void (*progress)(void *context, const char *step, double fraction);
    void *context;
} kith_measure_opts;

#define KITH_MEASURE_OPTS_INIT { sizeof(kith_measure_opts), 1000, NULL, NULL }

/* Measure the recall of the approximate index afresh: live rows drawn at random are the
 * queries, each leaving itself out, and exact search tells what they should find. The table
 * that the build made is not changed.
 *
 * opts      [in, may be NULL]
 * points    [out] room for KITH_MAX_RECALL_POINTS
 * n_points  [out] points filled in, by k, then nprobe, ascending
 * Returns KITH_OK; KITH_NOT_FOUND (there is no approximate index); KITH_INVALID (102 rows
 * are needed); KITH_UNSUPPORTED; KITH_CORRUPT; KITH_IO; KITH_NOMEM.
 * Thread-safe: yes. Cost: an exact search a query, and an approximate one for each nprobe. */
kith_status kith_collection_measure_recall(kith_collection *collection,
                                           const kith_measure_opts *opts,
                                           kith_recall_point *points, size_t *n_points,
                                           kith_error *err);

/* ---------------------------------------------------------------- writing */

/* What happens to a text that is longer than a vector can hold. */
typedef enum kith_long_text {
    KITH_LONG_CHUNK = 0,    /* it becomes passages of up to 200 tokens, the title in each */
    KITH_LONG_TRUNCATE = 1, /* the first max_tokens count, the rest is cut and counted */
    /* One passage with one vector, made when the record is added, in the caller's thread: */
    KITH_LONG_AVERAGE = 2, /* the mean of those of its passages, weighted by their tokens */
    /* that of the sentences that are nearest to all others of the text (degree centrality:
     * Erkan and Radev, LexRank, 2004), in their order, up to 200 tokens with the title.
     * They become the member "summary" of the metadata. */
    KITH_LONG_SUMMARY = 3
} kith_long_text;

/* A passage of a record to add. */
typedef struct kith_input_passage {
    kith_text text;
    const float *vector; /* as in kith_input, or NULL: made from title and text */
    uint64_t byte[2];    /* as in kith_input, of this passage */
    uint64_t line[2];
} kith_input_passage;

/* A record to add, zeroed where nothing else is said. Pointers are read during the call
 * only. */
typedef struct kith_input {
    kith_text id;       /* 1 to 4096 bytes */
    kith_text text;     /* what is encoded, after the title and a space */
    kith_text title;    /* may be empty */
    kith_text metadata; /* a JSON object, or empty; stored as it is */
    kith_text source;   /* where it comes from, such as a path; may be empty */
    uint64_t byte[2];   /* the part of the source that it is: first, one past the last */
    uint64_t line[2];   /* 1-based: first, last; 0: unknown */
    bool spans_source;  /* text is that part byte for byte: passages get their own spans */
    /* The vector of this record, instead of one made from its text: dim floats of any
     * finite length but zero, or NULL. Stored at unit length (as it is when it has that
     * within 2^-10), in f16. The record is then one passage: its text, which may be
     * empty, is not cut. That it comes from the collection's model is the caller's
     * word. */
    const float *vector;
    /* n_passages > 0: the passages of this record, instead of those that its text would
     * be cut into, for copying a record. text, byte, line, spans_source and vector are
     * not looked at then. */
    const kith_input_passage *passages;
    size_t n_passages;
} kith_input;

/* The one writer of a collection. */
typedef struct kith_writer kith_writer;

typedef struct kith_writer_opts {
    size_t size;
    bool no_wait; /* fail with KITH_BUSY instead of waiting for another writer */
    /* Called once before waiting, with the process that writes now (0: unknown). */
    void (*on_wait)(void *context, int64_t pid);
    /* Asked in the caller's thread whenever a call waits, for another writer or for the
     * encoder, many times a second; true stops that call with KITH_INTERRUPTED. */
    bool (*interrupted)(void *context);
    void *context;
    kith_long_text long_text;
    /* Memory for what is not committed yet: texts, vectors and bookkeeping. 0: as much as
     * it takes. Else, when it is more, kith_writer_add() and kith_writer_delete() wait and
     * commit as kith_writer_commit_ready() does until it is not; a record that is larger
     * works all the same. It does not cover the model, mapped files, what a commit copies
     * of at most 16 MiB or one record, and, unless no_prune is set, 32 to 64 bytes for
     * each id that was added since the writer began. */
    size_t max_pending_bytes;
    /* kith_writer_prune() will not be called: ids need not be kept, so that memory does
     * not grow with their number. A record that is stored already and is given twice
     * with the content that it has is then not counted as a duplicate. */
    bool no_prune;
} kith_writer_opts;

#define KITH_WRITER_OPTS_INIT \
    { sizeof(kith_writer_opts), false, NULL, NULL, NULL, KITH_LONG_CHUNK, 0, false }

/* Become the writer of a collection, until kith_writer_close().
 *
 * opts    [in, may be NULL]
 * writer  [out]
 * Returns KITH_OK; KITH_BUSY (no_wait, or a writer on this very handle); KITH_INVALID
 * (read-only); KITH_INTERRUPTED; KITH_IO; KITH_NOMEM.
 * Thread-safe: yes; the writer itself belongs to one thread. Blocks: on another writer. */
kith_status kith_writer_begin(kith_collection *collection, const kith_writer_opts *opts,
                              kith_writer **writer, kith_error *err);

/* What became of the records of a writer so far. */
typedef struct kith_writer_stats {
    uint64_t n_committed;  /* records durable on disk through this writer, new or changed */
    uint64_t n_unchanged;  /* were there already, with the same content */
    uint64_t n_duplicates; /* ids given more than once to this writer: the later one wins */
    uint64_t n_truncated;  /* records of which tokens were cut */
    uint64_t n_condensed;  /* records that got an average or a summary */
    uint64_t n_deleted;    /* records */
    uint64_t n_passages;   /* rows written */
    uint64_t n_encoded;    /* of them encoded; the others were copied or given */
    uint64_t n_pending;    /* records added, not yet committed */
    uint64_t n_ready;      /* of them encoded, with all before them, when last looked at */
} kith_writer_stats;

/* Add a record, or replace the one with its id. It is durable after the next
 * kith_writer_commit(). Encoding happens meanwhile, on a thread of the writer, some 32 KiB
 * of text at a time. A record whose content is the one stored costs a look-up; one whose
 * text is the same keeps its vector. A given vector is part of the content.
 *
 * Returns KITH_OK; KITH_INVALID (id, sizes, a vector that is zero or not finite, no
 * model and no vector: nothing was added); KITH_NOMEM; KITH_IO;
 * KITH_CORRUPT (also of the model, for a record that was added earlier); KITH_INTERRUPTED;
 * with max_pending_bytes also what kith_writer_commit_ready() returns. After another
 * failure than KITH_INVALID only close the writer. */
kith_status kith_writer_add(kith_writer *writer, const kith_input *input, kith_error *err);

/* Delete a record, all passages of it. KITH_NOT_FOUND when it is not there. */
kith_status kith_writer_delete(kith_writer *writer, kith_text id, kith_error *err);

/* Forget all records of a source that were not given to this writer since it began.
 * For refreshing a source whole. Effective at the next commit. KITH_INVALID with
 * no_prune. */
kith_status kith_writer_prune(kith_writer *writer, kith_text source, kith_error *err);

/* Make everything added and deleted so far durable, in one atomic step.
 * Returns KITH_OK; KITH_FULL; KITH_IO; KITH_NOMEM; KITH_CORRUPT; KITH_INTERRUPTED; on
 * failure nothing was committed. Cost: encoding what is pending, then two flushes of the
 * disk. */
kith_status kith_writer_commit(kith_writer *writer, kith_error *err);

/* Make durable what is encoded, while the encoder goes on with the rest: in one atomic
 * step the operations that came first, at most 4,096 of them or 16 MiB. They become
 * durable in the order in which they came; of those on one id only the last one counts,
 * and it in its own place. For adding without end: call it now and then, look at n_ready
 * and n_committed, and call kith_writer_commit() at the end.
 *
 * max_ms  [in] how long to wait until so many, or all, are encoded; 0: take what is there
 * Returns KITH_OK (also when nothing was ready); otherwise as kith_writer_commit().
 * Thread-safe: no, as all of the writer. Cost: two flushes of the disk. */
kith_status kith_writer_commit_ready(kith_writer *writer, uint32_t max_ms,
                                     kith_error *err);

void kith_writer_get_stats(const kith_writer *writer, kith_writer_stats *stats);

/* How the approximate index is built. */
typedef enum kith_ann {
    KITH_ANN_AUTO = 0,   /* from 100,000 rows up, and again when it covers too little */
    KITH_ANN_ALWAYS = 1, /* now, from the fewest rows that it can be trained on (724) */
    KITH_ANN_NEVER = 2
} kith_ann;

typedef struct kith_build_opts {
    size_t size;
    kith_ann ann;
    const char *factory; /* NULL: chosen by size; else a FAISS factory string */
    /* Told of each step; may be NULL. */
    void (*progress)(void *context, const char *step, double fraction);
    void *context;
} kith_build_opts;

#define KITH_BUILD_OPTS_INIT { sizeof(kith_build_opts), KITH_ANN_AUTO, NULL, NULL, NULL }

/* Build what makes searching fast, and make it current: from 10,000 rows up the rows in 8
 * bits, for exact search, and from 2,000 rows up the postings of the metadata, for filters,
 * whatever `ann` says; and the approximate index, whose recall is measured. Each is built
 * when it is not there or has become too small; the approximate one loads
 * libkith-faiss.so. After a failure what was there before is used.
 *
 * built  [out, may be NULL] whether an approximate index was built
 * Returns KITH_OK; KITH_INVALID (factory); KITH_UNSUPPORTED (libkith-faiss.so missing);
 * KITH_NOMEM; KITH_IO; KITH_FULL. Cost: seconds for 50,000 rows, minutes for millions; the
 * postings some 10 microseconds and 200 bytes of memory a row. */
kith_status kith_writer_build_index(kith_writer *writer, const kith_build_opts *opts,
                                    bool *built, kith_error *err);

typedef struct kith_compact_opts {
    size_t size;
    /* Told of the share that is done; may be NULL. */
    void (*progress)(void *context, const char *step, double fraction);
    void *context;
} kith_compact_opts;

#define KITH_COMPACT_OPTS_INIT { sizeof(kith_compact_opts), NULL, NULL }

typedef struct kith_compact_stats {
    uint64_t n_records;    /* all that live */
    uint64_t n_passages;
    uint64_t n_dropped;    /* dead rows that are gone now */
    uint64_t bytes_before; /* allocated on disk: store, vectors and derived files */
    uint64_t bytes_after;  /* of store and vectors; there are no derived files any more */
} kith_compact_stats;

/* Give back the space of what was deleted and changed, and purge its text from every file
 * of the collection.
 *
 * The live records are put into files of their own, which are read back, become the
 * collection's at once, and replace the old ones. Order, vectors and everything else that
 * is stored stay as they are; the approximate index goes: kith_writer_build_index() makes
 * another. Readers of all processes keep working: what has begun ends on the old files,
 * what begins later uses the new ones. A handle or process that was not used since then
 * keeps the space of the old files taken until it is used or closed. This writer goes on,
 * on the new files.
 *
 * Whenever the process is killed, the collection is the old one or the new one, whole; what
 * then lies about is removed by the next kith_writer_begin(). Meanwhile the disk holds both.
 *
 * opts   [in, may be NULL]
 * stats  [out, may be NULL]
 * Returns KITH_OK; KITH_INVALID (something is added, deleted or pruned, but not committed);
 * KITH_CORRUPT (a row or a record is damaged: it is not carried over); KITH_INTERRUPTED (as
 * kith_writer_opts.interrupted says, asked every few thousand records); KITH_FULL; KITH_IO;
 * KITH_NOMEM. After a failure nothing has changed, but for two: when the disk refuses to
 * make the switch durable, the writer cannot commit any more, and is to be closed; and when
 * the old files cannot be removed, the switch was made, and they are removed by the next
 * kith_writer_begin() that can.
 * Thread-safe: no, as all of the writer. Cost: reads the store and its vectors twice, writes
 * what lives, some 16 MiB between two flushes of the disk. */
kith_status kith_writer_compact(kith_writer *writer, const kith_compact_opts *opts,
                                kith_compact_stats *stats, kith_error *err);

/* Stop writing. What was not committed is dropped. NULL is a no-op. Cost: the encoder is
 * waited for until it has finished some thousand tokens. */
void kith_writer_close(kith_writer *writer);

/* ---------------------------------------------------------------- reading */

/* A stored passage. Pointers live as long as what it was read from. */
typedef struct kith_record {
    kith_text id;
    uint32_t passage;    /* 0, 1, ... of its record */
    uint32_t n_passages; /* of its record */
    kith_text text;      /* of the passage */
    kith_text title;
    kith_text metadata; /* JSON object, or empty */
    kith_text source;
    uint64_t byte[2];
    uint64_t line[2];
    const float *vector; /* dim floats, of unit length but for their rounding to f16;
                          * NULL where vectors are not read */
} kith_record;

/* Passages read together. */
typedef struct kith_records kith_records;

/* All passages of one record, in order, with their vectors.
 * Returns KITH_OK; KITH_NOT_FOUND; KITH_CORRUPT; KITH_NOMEM; KITH_IO.
 * Thread-safe: yes. */
kith_status kith_record_get(kith_collection *collection, kith_text id,
                            kith_records **records, kith_error *err);

size_t kith_records_count(const kith_records *records);
const kith_record *kith_records_at(const kith_records *records, size_t i);
void kith_records_free(kith_records *records);

/* Reads passages in the order of their ids, about 256 at a time; those of one record
 * come together. It holds nothing between calls: a writer may go on, and what it
 * changes behind the cursor is not seen. */
typedef struct kith_cursor kith_cursor;

kith_status kith_cursor_open(kith_collection *collection, kith_cursor **cursor,
                             kith_error *err);
/* From now on read the vectors, too. */
void kith_cursor_read_vectors(kith_cursor *cursor);
/* The next passages, at least one. KITH_NOT_FOUND at the end; *records is then NULL. */
kith_status kith_cursor_next(kith_cursor *cursor, kith_records **records, kith_error *err);
void kith_cursor_close(kith_cursor *cursor);

/* ---------------------------------------------------------------- searching */

/* What to look for: exactly one of text, vector and like. */
typedef struct kith_query {
    kith_text text;       /* encoded with the model; used when vector and like are unset */
    const float *vector;  /* dim floats of any length but zero, or NULL */
    kith_text like;       /* id of a record whose first passage is the query; itself left out */
} kith_query;

typedef enum kith_use_ann {
    KITH_USE_ANN_AUTO = 0,   /* where it is the cheapest way that meets min_recall */
    KITH_USE_ANN_ALWAYS = 1, /* wherever an index exists that meets min_recall */
    KITH_USE_ANN_NEVER = 2   /* exact */
} kith_use_ann;

typedef struct kith_search_opts {
    size_t size;
    uint32_t k;          /* records wanted (passages, if so set), 1 to 10,000 */
    bool passages;       /* count and show passages instead of records */
    double min_score;    /* leave out hits below; -1 or less: none */
    kith_use_ann ann;
    uint32_t nprobe;     /* 0: chosen from the measured table by min_recall */
    double min_recall;   /* default 0.95 */
    uint64_t n_expected; /* queries the caller means to ask on this handle; 0: as many as
                            given. Decides whether loading an index pays. */
    const char *where;   /* NULL: all records; else only those that this filter, as
                            described below, is true of */
    /* Maximal marginal relevance: each hit after the first is the one of the 5 k nearest
     * with the highest mmr * score - (1 - mmr) * (its highest score with a hit before it).
     * 1, the default: nearest first. Less: hits that differ more; k is then 1,000 at most. */
    double mmr;
    uint32_t max_per_source; /* hits of one source; 0: any number. Records without a source
                              * are not counted. */
} kith_search_opts;

#define KITH_SEARCH_OPTS_INIT \
    { sizeof(kith_search_opts), 10, false, -2.0, KITH_USE_ANN_AUTO, 0, 0.95, 0, NULL, 1.0, 0 }

/* Filters
 *
 *   lang = "en" AND year >= 2020
 *   NOT (tags IN ("draft", "old") OR EXISTS deleted_at) AND $source STARTS WITH "/notes/"
 *
 * Conditions are FIELD =, !=, <, <=, >, >= VALUE, FIELD [NOT] IN (VALUE, ...), FIELD [NOT]
 * STARTS WITH STRING and EXISTS FIELD; NOT binds closer than AND, AND closer than OR.
 * Keywords may be written in any case.
 *
 * A field is a member of the metadata: letters, digits, _ and - (no digit or - first), or
 * any name in backquotes. `author.name` is the member name of the object author; a name
 * that has a dot stands in backquotes. $id, $source and $title are those of the record.
 *
 * A value is a string in "" or '' (" ' and \ stand for ", ' and \), a number, true,
 * false or null. Only values of one type are equal, less or greater: numbers as doubles,
 * strings by their bytes. True, false and null can only be equal.
 *
 * An array is each of its elements, arrays of objects too: a condition is true when it is
 * of one of them. Of a field that is not there, of an object and of an empty array every
 * condition is false, but for EXISTS, which asks for the member itself. x != 1 is the same
 * as NOT x = 1, and x NOT IN (1) as NOT x IN (1): true also when there is no x. Metadata
 * that is not valid JSON has no fields; $source and $title that are empty are not there.
 *
 * At most 65,536 bytes, 64 parentheses inside each other, 16 names in a field.
 *
 * What matches is found from postings of the metadata, which kith_writer_build_index()
 * makes; rows written since, and strings of 256 bytes and more, are compared one by one.
 * If k matching records exist, k come back. Recall is measured without filters: with one,
 * only a caller who sets nprobe, or min_recall to 0, can get an approximate answer, and
 * its recall is unknown. */

/* Whether a filter can be used.
 * Returns KITH_OK; KITH_INVALID, with the column (in characters, from 1) and what was
 * expected there; KITH_NOMEM. Thread-safe: yes. */
kith_status kith_where_check(const char *where, kith_error *err);

typedef struct kith_hit {
    float score;               /* cosine of the query and the stored vector */
    const kith_record *record; /* the best passage of the record */
} kith_hit;

/* The answer to one query. */
typedef struct kith_answer {
    size_t n_hits;
    const kith_hit *hits; /* nearest first; equal scores: the earlier row first. With mmr
                           * below 1 in the order in which they were chosen. */
    bool exact;
    double recall;        /* lower 95 % bound of the setting used; 1 if exact, -1 unknown */
    uint32_t n_dropped;   /* tokens of the query that did not fit */
    const char *plan;     /* one line: how it was found and why */
} kith_answer;

typedef struct kith_results kith_results;

/* Find the nearest records of each query, all in one consistent state.
 *
 * queries  [in] n_queries of them
 * opts     [in, may be NULL]
 * results  [out] free with kith_results_free()
 * Returns KITH_OK (also when nothing is found); KITH_INVALID (k = 0, a query without
 * content, a zero or non-finite vector, no model, the filter); KITH_NOT_FOUND (like: no
 * such record);
 * KITH_CORRUPT; KITH_IO; KITH_NOMEM.
 * Thread-safe: yes. Blocks: on page faults and on the model, never on a writer.
 * Cost: exact, dim bytes of memory traffic a row (2 * dim of rows that no build has seen
 * yet) for each group of up to 256 queries, and from 4 queries on 2 * dim operations of 8
 * bits a row and query. Approximate, several hundred queries in one call: the same
 * operations for the rows in the lists that a query visits, and every row is read twice;
 * they may find more than queries asked one by one, never less than the recall stated. */
kith_status kith_search(kith_collection *collection, const kith_query *queries,
                        size_t n_queries, const kith_search_opts *opts,
                        kith_results **results, kith_error *err);

size_t kith_results_count(const kith_results *results);
/* The answer to query i, valid until the results are freed. */
const kith_answer *kith_results_at(const kith_results *results, size_t i);
void kith_results_free(kith_results *results);

/* ---------------------------------------------------------------- records among themselves */

/* What the three functions below share. Every comparison is exact: all pairs of passages
 * are compared in 8 bits, and where the bound of that leaves it open, from their vectors.
 * The score of two passages is that of the one stored first as a query.
 *
 * Thread-safe: yes. Blocks: never on a writer; one committed state is compared.
 * Cost: dim * n^2 / 2 multiply-adds of bytes for n rows, deleted ones included (75,000 rows:
 * some 3 s on two CPUs with VNNI); memory for codes of rows that the index does not cover, dim +
 * 12 bytes a row, and some 30 bytes a row. At most 2^32 - 2 rows. */

/* Told how far it is, between parts of the work, in the caller's thread. */
typedef void (*kith_progress)(void *context, const char *step, double fraction);
/* Asked at the same time; true stops the call with KITH_INTERRUPTED. */
typedef bool (*kith_interrupted)(void *context);

/* Records that belong together. Free before the collection is closed. Until then they keep
 * the files that a compaction replaces, and do not see what is deleted after it. */
typedef struct kith_groups kith_groups;

typedef struct kith_pairs_opts {
    size_t size;
    double min_score;   /* leave out pairs below; -1 or less: none */
    uint32_t top_k;     /* a pair is among so many best ones of one of its records */
    uint64_t max_pairs; /* the best so many; 72 bytes of memory each */
    kith_progress progress; /* may be NULL, as the next */
    kith_interrupted interrupted;
    void *context;
} kith_pairs_opts;

#define KITH_PAIRS_OPTS_INIT \
    { sizeof(kith_pairs_opts), -2.0, 100, 500000, NULL, NULL, NULL }

/* The best pairs of records: groups of two, nearest first; equal scores: the rows stored
 * first. A record of several passages is as near to another as their nearest passages,
 * which are those shown.
 *
 * groups  [out] free with kith_groups_free()
 * Returns KITH_OK (also when there is none); KITH_INVALID (top_k or max_pairs 0, a score
 * that is not a number); KITH_INTERRUPTED; KITH_FULL (rows); KITH_NOMEM; KITH_CORRUPT;
 * KITH_IO. */
kith_status kith_pairs(kith_collection *collection, const kith_pairs_opts *opts,
                       kith_groups **groups, kith_error *err);

typedef struct kith_clusters_opts {
    size_t size;
    double min_score; /* of a member with the centre */
    uint32_t min_size; /* members, the centre included */
    kith_progress progress;
    kith_interrupted interrupted;
    void *context;
} kith_clusters_opts;

#define KITH_CLUSTERS_OPTS_INIT { sizeof(kith_clusters_opts), 0.75, 10, NULL, NULL, NULL }

/* Communities of passages, as sentence-transformers' community_detection() defines them:
 * passages with at least min_size others within min_score, itself included, become centres,
 * those with most first, unless they belong to a community already; what of their
 * neighbours belongs to none becomes theirs, if that is still min_size. Largest first; the
 * centre is the first member, then the nearest to it. Passages of a record may be in
 * several communities; most passages are in none.
 *
 * Returns as kith_pairs(); KITH_INVALID (min_size 0). Cost: beside that above, each centre
 * that is tried is compared with all rows. */
kith_status kith_clusters(kith_collection *collection, const kith_clusters_opts *opts,
                          kith_groups **groups, kith_error *err);

typedef struct kith_duplicates_opts {
    size_t size;
    double min_score;
    kith_progress progress;
    kith_interrupted interrupted;
    void *context;
} kith_duplicates_opts;

#define KITH_DUPLICATES_OPTS_INIT { sizeof(kith_duplicates_opts), 0.95, NULL, NULL, NULL }

/* Exact and near duplicates. Records are taken in the order in which they were stored; one
 * within min_score of a record that is kept, or with the same vector, is a duplicate of the
 * first such, else it is kept. Groups of a kept record and its duplicates, in that order.
 * A record of several passages is a duplicate only of one with the same title and text:
 * that parts of two long texts are alike does not make one of them dispensable.
 *
 * Returns as kith_pairs(). */
kith_status kith_duplicates(kith_collection *collection, const kith_duplicates_opts *opts,
                            kith_groups **groups, kith_error *err);

/* A member of a group. */
typedef struct kith_member {
    uint64_t group;     /* 0, 1, ... */
    uint64_t position;  /* 0, 1, ... in its group */
    uint64_t n_members; /* of its group */
    float score;        /* with the first member; of that itself 1, but in a pair the pair's */
    bool exact;         /* of duplicates: same title and text as the first member */
    const kith_record *record; /* NULL: it was deleted since then */
} kith_member;

/* How many groups there are. */
uint64_t kith_groups_count(const kith_groups *groups);

/* The next member of the next group. *member lives until the next call, of a pair's first
 * member until that after the next. KITH_NOT_FOUND at the end; KITH_CORRUPT; KITH_IO;
 * KITH_NOMEM. Thread-safe: no. */
kith_status kith_groups_next(kith_groups *groups, kith_member *member, kith_error *err);

void kith_groups_free(kith_groups *groups);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
