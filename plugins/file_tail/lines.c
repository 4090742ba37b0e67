/* Reads files and cuts them into lines. */
#define _GNU_SOURCE
#include "tail.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define FULL 0      /* the batch takes no more */
#define TURN_OVER 1 /* there may be more, but it is the next file's turn */
#define AT_END 2
#define PAUSED 3 /* there is more, but poll must return */

/* Reads from the file's offset on into the buffer, with the bytes before it, which tell whether it is still the same file: a file
 * that was cut to nothing may have grown past the offset again. 1; or 0 when it cannot be read. */
static int fill(tail_t *t, uint32_t index, size_t want) {
  tail_file_t *file = &t->files[index];
  size_t before = file->offset < TAIL_FINGERPRINT ? (size_t)file->offset : TAIL_FINGERPRINT;
  ssize_t length;
  t->window_of = TAIL_NONE;
  if (!tail_open(t, file)) return 0;
  do length = pread(file->fd, t->buffer, before + want, (off_t)(file->offset - before));
  while (length < 0 && errno == EINTR);
  if (length < 0) {
    tail_complain(t, file, strerror(errno));
    tail_close(t, file); /* opened again by the next scan */
    return 0;
  }
  if ((size_t)length < before || (file->fingerprint != 0 && before > 0 && tail_hash(t->buffer, before) != file->fingerprint)) {
    tail_log(t->context, BUSBAR_LOG_INFO, "\"%s\" was truncated; it is read from its beginning", file->path);
    file->offset = 0;
    file->fingerprint = 0;
    file->skipping = 0;
    t->turn_end = TAIL_TURN;
    return fill(t, index, want);
  }
  if (file->fingerprint == 0 && before > 0) { /* begun at its end: perhaps in the middle of a line that is being written */
    file->skipping = t->buffer[before - 1] != '\n';
    file->fingerprint = tail_hash(t->buffer, before);
  }
  file->complained = 0;
  t->budget -= length;
  t->window_of = index;
  t->window_base = file->offset - before;
  t->window_length = (size_t)length;
  t->window_fresh = 1;
  t->window_end = (size_t)length < before + want;
  return 1;
}

static void leave(tail_t *t, tail_file_t *file, const uint8_t *at) {
  size_t before;
  uint64_t offset = t->window_base + (uint64_t)(at - t->buffer);
  if (offset == file->offset) return;
  file->offset = offset;
  before = offset < TAIL_FINGERPRINT ? (size_t)offset : TAIL_FINGERPRINT;
  file->fingerprint = tail_hash(at - before, before);
}

/* Appends lines of a window until the batch is full, the turn is over, or no whole line is left. */
static int append_lines(tail_t *t, tail_file_t *file, busbar_batch_t *batch, int last) {
  const uint8_t *at = t->buffer + (file->offset - t->window_base), *end = t->buffer + t->window_length;
  const uint64_t max_line = t->settings.max_line, left = t->turn_end > file->offset ? t->turn_end - file->offset : 0;
  const uint8_t *turn_end = left < (uint64_t)(end - at) ? at + left : end;
  int turn_ends = left < (uint64_t)(end - at) || left == 0;
  int result = AT_END;
  busbar_event_t event;
  memset(&event, 0, sizeof event);
  event.content_type = BUSBAR_CONTENT_TEXT;
  event.attributes = t->attributes;
  event.attributes_length = t->attributes_length;
  for (;;) {
    const uint8_t *newline, *next;
    uint64_t length;
    if (at >= turn_end && turn_ends) {
      result = TURN_OVER;
      break;
    }
    if (at == end) break;
    newline = (const uint8_t *)memchr(at, '\n', (size_t)(end - at));
    if (file->skipping) {
      at = newline == NULL ? end : newline + 1;
      file->skipping = newline == NULL;
      continue;
    }
    if (newline != NULL) {
      next = newline + 1;
      length = (uint64_t)(newline - at);
      if (length > 0 && newline[-1] == '\r') length--;
    } else {
      length = (uint64_t)(end - at);
      if (last && length <= max_line) next = end;
      else if (last || length >= max_line + 2) next = at + max_line; /* 2: the byte after the limit may be a \r that does not count */
      else break;
    }
    event.flags = length > max_line ? BUSBAR_RECORD_TRUNCATED : 0;
    event.payload = at;
    event.payload_length = (uint32_t)(length > max_line ? max_line : length);
    if (!busbar_append(batch, &event)) {
      result = FULL;
      break;
    }
    t->truncated += event.flags != 0;
    file->skipping = event.flags != 0 && newline == NULL;
    at = next;
  }
  leave(t, file, at);
  return result;
}

static int set_attributes(tail_t *t, const tail_file_t *file) {
  uint32_t name = 4, value = (uint32_t)strlen(file->path);
  char *grown;
  if (!t->settings.attributes) return 1;
  grown = (char *)realloc(t->attributes, 8 + name + value);
  if (grown == NULL) return 0;
  t->attributes = grown;
  t->attributes_length = 8 + name + value;
  memcpy(grown, &name, 4);
  memcpy(grown + 4, &value, 4);
  memcpy(grown + 8, "path", name);
  memcpy(grown + 12, file->path, value);
  return 1;
}

static int read_file(tail_t *t, uint32_t index, busbar_batch_t *batch) {
  tail_file_t *file = &t->files[index];
  size_t want = TAIL_READ;
  if (file->path == NULL || !set_attributes(t, file)) return AT_END;
  if (t->window_of != index && !fill(t, index, want)) return AT_END;
  for (;;) {
    uint32_t count = batch->count;
    uint64_t offset = file->offset;
    int last = (t->settings.once || file->finishing) && t->window_end && t->window_fresh;
    int result = append_lines(t, file, batch, last);
    if (batch->count != count && file->rotated) file->quiet_since = tail_clock();
    if (result != AT_END || (t->window_end && t->window_fresh)) return result;
    if (t->budget <= 0) return PAUSED;
    /* What was read is used up. Where nothing of it was of use, a line is longer: then all of it that may be used is read at once. */
    want = file->offset == offset && t->window_fresh ? t->buffer_size - TAIL_FINGERPRINT : TAIL_READ;
    if (!fill(t, index, want)) return AT_END;
  }
}

/* Whether the file must wait for one that had its path before. */
static int is_held(const tail_t *t, uint32_t index) {
  uint32_t i;
  for (i = 0; i < index; i++) {
    const tail_file_t *file = &t->files[i];
    if (file->rotated && !file->released && file->home == t->files[index].home && !(t->settings.once && file->idle)) return 1;
  }
  return 0;
}

static void next_turn(tail_t *t) {
  tail_file_t *file = &t->files[t->turn];
  if (t->opened > TAIL_OPEN_MAX && !file->rotated) tail_close(t, file);
  if (t->count > 1) t->window_of = TAIL_NONE;
  t->turn = t->turn + 1 < t->count ? t->turn + 1 : 0;
  t->turn_end = t->files[t->turn].offset + TAIL_TURN;
}

int32_t tail_read(tail_t *t, busbar_batch_t *batch) {
  uint32_t passed = 0; /* files in a row that had nothing */
  t->window_fresh = 0;
  t->budget = TAIL_BUDGET;
  while (passed < t->count) {
    uint32_t index = t->turn, count = batch->count;
    tail_file_t *file = &t->files[index];
    int result = AT_END, ended = 0;
    if (!file->idle && !is_held(t, index)) {
      if (t->turn_end == 0) t->turn_end = file->offset + TAIL_TURN;
      result = read_file(t, index, batch);
      if (result == FULL || result == PAUSED) return BUSBAR_OK;
      if (result == AT_END) {
        int finishing = file->finishing;
        file->idle = 1;
        ended = file->rotated;
        tail_at_end(t, file);
        if (finishing) {
          tail_remove(t, index);
          continue;
        }
        if (file->finishing) { /* once more, for a last line without an end */
          file->idle = 0;
          continue;
        }
      }
    }
    /* The end of a rotated file may be what its successor, which was passed over, waits for. */
    passed = batch->count == count && result == AT_END && !ended ? passed + 1 : 0;
    next_turn(t);
  }
  return BUSBAR_AGAIN;
}
