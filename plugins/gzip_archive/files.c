#include "files.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

int fail(problem_t *problem, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(problem->text, sizeof problem->text, format, arguments);
  va_end(arguments);
  return 0;
}

int write_all(int file, const void *bytes, size_t count, uint64_t offset) {
  const uint8_t *at = bytes;
  while (count > 0) {
    ssize_t written = pwrite(file, at, count, (off_t)offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return 0;
    if (written == 0) {
      errno = ENOSPC;
      return 0;
    }
    at += written;
    offset += (uint64_t)written;
    count -= (size_t)written;
  }
  return 1;
}

ssize_t read_up_to(int file, void *bytes, size_t count, uint64_t offset) {
  size_t done = 0;
  while (done < count) {
    ssize_t got = pread(file, (uint8_t *)bytes + done, count - done, (off_t)(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    done += (size_t)got;
  }
  return (ssize_t)done;
}

int sync_file(int file) {
  int result;
  do result = fsync(file);
  while (result < 0 && errno == EINTR);
  return result == 0;
}
