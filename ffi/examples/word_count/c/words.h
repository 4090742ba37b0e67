/* A table of words and how often each was seen. */
#ifndef WORDS_H
#define WORDS_H

#include <stddef.h>
#include <stdint.h>

#define WORD_CHANGED 1u /* since it was last emitted */
#define WORD_EMITTED 2u /* at least once */

typedef struct word {
  uint64_t hash;
  uint64_t count;
  uint32_t flags; /* WORD_* */
  uint32_t length;
  uint8_t bytes[];
} word_t;

typedef struct words {
  word_t **slots; /* open addressing; `capacity` is 0 or a power of two */
  size_t capacity;
  size_t count;
  word_t **changed; /* those with WORD_CHANGED, in no order; room for `capacity` */
  size_t changed_count;
} words_t;

/* The word with these bytes, with count 0 when it is new; null when memory ends. OWNERSHIP: the table's. */
word_t *words_find(words_t *words, const uint8_t *bytes, uint32_t length);

/* Puts the word on the list of changed ones, if it is not there. */
void words_mark(words_t *words, word_t *word);

/* Orders the changed ones by their bytes, ascending. */
void words_sort_changed(words_t *words);

/* Takes the first `count` changed ones off their list. */
void words_emitted(words_t *words, size_t count);

void words_free(words_t *words);

#endif
