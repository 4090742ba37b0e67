/* Files of lines that survive the death of their writer. */
#include <stdarg.h>
#include <sys/stat.h>

#include "soak.h"

int soak_open_lines(const char *path) {
  int file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  struct stat info;
  off_t end;
  char last = '\n';
  if (file < 0 || fstat(file, &info) != 0) return -1;
  for (end = info.st_size; end > 0; end--) {
    if (pread(file, &last, 1, end - 1) != 1) break;
    if (last == '\n') break;
  }
  if (end == info.st_size || ftruncate(file, end) == 0) return file;
  close(file);
  return -1;
}

int soak_print(soak_text_t *text, const char *format, ...) {
  va_list arguments;
  int length;
  if (text->capacity - text->length < 256) {
    size_t capacity = text->capacity * 2 + 4096;
    char *bytes = realloc(text->bytes, capacity);
    if (bytes == NULL) return 0;
    text->bytes = bytes;
    text->capacity = capacity;
  }
  va_start(arguments, format);
  length = vsnprintf(text->bytes + text->length, text->capacity - text->length, format, arguments);
  va_end(arguments);
  if (length < 0 || (size_t)length >= text->capacity - text->length) return 0;
  text->length += (size_t)length;
  return 1;
}

int soak_write(int file, soak_text_t *text) {
  size_t done = 0;
  while (done < text->length) {
    ssize_t written = write(file, text->bytes + done, text->length - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) break;
    done += (size_t)written;
  }
  text->length -= done;
  if (done > 0) memmove(text->bytes, text->bytes + done, text->length);
  return text->length == 0;
}

void soak_free(soak_text_t *text) {
  free(text->bytes);
  memset(text, 0, sizeof *text);
}
