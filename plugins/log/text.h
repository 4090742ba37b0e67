#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>

#define TIME_CAPACITY 40
/* Characters of base64 for so many bytes. */
#define BASE64_LENGTH(bytes) (((bytes) + 2) / 3 * 4)

/* Whether the bytes are UTF-8. */
int text_is_utf8(const uint8_t *bytes, size_t length);

/* How much of `length` bytes to take for at most `limit` of them, without breaking a character in two. */
size_t text_cut(const uint8_t *bytes, size_t length, size_t limit);

/* Writes BASE64_LENGTH(length) characters. */
void text_base64(const uint8_t *bytes, size_t length, char *out);

/* Nanoseconds since 1970 as "2026-11-20T18:25:00.123456789Z". */
void text_time(int64_t nanoseconds, char out[TIME_CAPACITY]);

#endif
