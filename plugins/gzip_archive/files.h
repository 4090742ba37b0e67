/* Calls on files that do all of what they are asked for, and say what went wrong. */
#ifndef GZIP_ARCHIVE_FILES_H
#define GZIP_ARCHIVE_FILES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Why something failed. */
typedef struct problem {
  char text[2048];
} problem_t;

/* Sets the text; always 0, so that it can be returned. */
int fail(problem_t *problem, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* All of it at `offset`. 1, or 0 with errno. */
int write_all(int file, const void *bytes, size_t count, uint64_t offset);

/* As many bytes from `offset` as there are, up to `count`; -1 with errno. */
ssize_t read_up_to(int file, void *bytes, size_t count, uint64_t offset);

/* fsync that is not interrupted. 1, or 0 with errno. */
int sync_file(int file);

#endif
