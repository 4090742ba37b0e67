#include "words.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a */
static uint64_t hash_of(const uint8_t *bytes, uint32_t length) {
  uint64_t hash = 0xcbf29ce484222325u;
  uint32_t i;
  for (i = 0; i < length; i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
  return hash ^ hash >> 32;
}

/* Where the word is, or the free place where it belongs. */
static word_t **slot_of(word_t **slots, size_t capacity, uint64_t hash, const uint8_t *bytes, uint32_t length) {
  size_t at = (size_t)hash & (capacity - 1);
  for (;; at = (at + 1) & (capacity - 1)) {
    word_t *word = slots[at];
    if (word == NULL) return &slots[at];
    if (word->hash == hash && word->length == length && memcmp(word->bytes, bytes, length) == 0) return &slots[at];
  }
}

static int grow(words_t *words) {
  size_t capacity = words->capacity == 0 ? 1024 : words->capacity * 2, i;
  word_t **slots = calloc(capacity, sizeof *slots);
  word_t **changed = realloc(words->changed, capacity * sizeof *changed);
  if (changed != NULL) words->changed = changed;
  if (slots == NULL || changed == NULL) {
    free(slots);
    return 0;
  }
  for (i = 0; i < words->capacity; i++) {
    word_t *word = words->slots[i];
    if (word != NULL) *slot_of(slots, capacity, word->hash, word->bytes, word->length) = word;
  }
  free(words->slots);
  words->slots = slots;
  words->capacity = capacity;
  return 1;
}

word_t *words_find(words_t *words, const uint8_t *bytes, uint32_t length) {
  uint64_t hash = hash_of(bytes, length);
  word_t **slot, *word;
  if (words->count >= words->capacity / 4 * 3 && !grow(words)) return NULL;
  slot = slot_of(words->slots, words->capacity, hash, bytes, length);
  if (*slot != NULL) return *slot;
  word = malloc(sizeof *word + length);
  if (word == NULL) return NULL;
  word->hash = hash;
  word->count = 0;
  word->flags = 0;
  word->length = length;
  memcpy(word->bytes, bytes, length);
  words->count++;
  return *slot = word;
}

void words_mark(words_t *words, word_t *word) {
  if (word->flags & WORD_CHANGED) return;
  word->flags |= WORD_CHANGED;
  words->changed[words->changed_count++] = word;
}

static int compare(const void *left, const void *right) {
  const word_t *a = *(word_t *const *)left, *b = *(word_t *const *)right;
  int order = memcmp(a->bytes, b->bytes, a->length < b->length ? a->length : b->length);
  return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

void words_sort_changed(words_t *words) {
  if (words->changed_count > 1) qsort(words->changed, words->changed_count, sizeof *words->changed, compare);
}

void words_emitted(words_t *words, size_t count) {
  size_t i;
  if (count == 0) return;
  for (i = 0; i < count; i++) words->changed[i]->flags = WORD_EMITTED;
  words->changed_count -= count;
  memmove(words->changed, words->changed + count, words->changed_count * sizeof *words->changed);
}

void words_free(words_t *words) {
  size_t i;
  for (i = 0; i < words->capacity; i++) free(words->slots[i]);
  free(words->slots);
  free(words->changed);
}
