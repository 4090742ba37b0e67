#include "log_line.h"

#include <stddef.h>
#include <string.h>

#define ONES 0x0101010101010101u
#define TIME_LENGTH 26 /* 10/Oct/2000:13:55:36 -0700 */
#define BYTES_DIGITS 19

/* Eight bytes at a time: a byte that is not plain sets its top bit, and so may one above it, never one below. */
uint64_t log_plain_length(const uint8_t *at, const uint8_t *end) {
  const uint8_t *start = at;
  for (; end - at >= 8; at += 8) {
    uint64_t x, special;
    memcpy(&x, at, 8);
    special = (x | (x - ONES * 0x20) | ((x ^ ONES * '"') - ONES) | ((x ^ ONES * '\\') - ONES)) & (ONES * 0x80);
    if (special != 0) return (uint64_t)(at - start) + ((uint64_t)__builtin_ctzll(special) >> 3);
  }
  while (at < end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\') at++;
  return (uint64_t)(at - start);
}

static int is_digit(uint8_t c) { return c >= '0' && c <= '9'; }
static int is_blank(uint8_t c) { return c == ' ' || c == '\t' || c == '\n'; }

/* The number in `count` digits, or -1. */
static int digits(const uint8_t *at, int count) {
  int value = 0;
  for (; count > 0; count--, at++) {
    if (!is_digit(*at)) return -1;
    value = value * 10 + (*at - '0');
  }
  return value;
}

/* The status as awk counts fields: the ninth between blanks, if it is three digits; -1 otherwise. */
static int ninth_field(log_text_t text) {
  const uint8_t *at = text.at, *start = at;
  int field;
  for (field = 0; field < 9; field++) {
    while (at < text.end && is_blank(*at)) at++;
    for (start = at; at < text.end && !is_blank(*at);) at++;
  }
  return at - start == 3 ? digits(start, 3) : -1;
}

static int failed(log_line_t *line, const uint8_t *start, const uint8_t *at, const char *error) {
  line->error = error;
  line->column = (uint64_t)(at - start) + 1;
  return 0;
}

/* Months since January, or -1. */
static int month_of(const uint8_t *name) {
  static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  int month;
  for (month = 0; month < 12; month++)
    if (memcmp(names + 3 * month, name, 3) == 0) return month;
  return -1;
}

static int is_leap(int year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

static int days_in(int month, int year) {
  static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return days[month] + (month == 1 && is_leap(year));
}

/* Days from 1970-01-01 to the first of the month. */
static int64_t days_before(int month, int year) {
  static const int16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  int64_t last = year - 1;
  return (last - 1969) * 365 + (last / 4 - 492) - (last / 100 - 19) + (last / 400 - 4) + before[month] + (month > 1 && is_leap(year));
}

/* Reads the TIME_LENGTH bytes between the brackets. Years are those whose nanoseconds fit. */
static int read_time(log_line_t *line, const uint8_t *at) {
  int day = digits(at, 2), month = month_of(at + 3), year = digits(at + 7, 4), hour = digits(at + 12, 2);
  int minute = digits(at + 15, 2), second = digits(at + 18, 2), zone_hour = digits(at + 22, 2), zone_minute = digits(at + 24, 2);
  int64_t zone;
  char *to = line->time;
  if (at[2] != '/' || at[6] != '/' || at[11] != ':' || at[14] != ':' || at[17] != ':' || at[20] != ' ' ||
      (at[21] != '+' && at[21] != '-'))
    return 0;
  if (month < 0 || year < 1970 || year > 2261 || day < 1 || day > days_in(month, year)) return 0;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return 0;
  if (zone_hour < 0 || zone_hour > 23 || zone_minute < 0 || zone_minute > 59) return 0;
  zone = (zone_hour * 60 + zone_minute) * 60;
  if (at[21] == '-') zone = -zone;
  line->timestamp = ((days_before(month, year) + day - 1) * 86400 + hour * 3600 + minute * 60 + second - zone) * 1000000000;
  memcpy(to, at + 7, 4);
  to[4] = to[7] = '-';
  to[5] = (char)('0' + (month + 1) / 10);
  to[6] = (char)('0' + (month + 1) % 10);
  memcpy(to + 8, at, 2);
  to[10] = 'T';
  memcpy(to + 11, at + 12, 8);
  memcpy(to + 19, at + 21, 3);
  to[22] = ':';
  memcpy(to + 23, at + 24, 2);
  return 1;
}

/* Whether `[time] "` begins at `at`. */
static int is_time(log_line_t *line, const uint8_t *at, const uint8_t *end) {
  return end - at >= TIME_LENGTH + 4 && at[0] == '[' && memcmp(at + 1 + TIME_LENGTH, "] \"", 3) == 0 && read_time(line, at + 1);
}

/* What stands before the next space, without control characters; empty where there is none. Moves on behind the space. */
static log_text_t word(const uint8_t **at, const uint8_t *end) {
  log_text_t found = {*at, *at};
  const uint8_t *to = *at;
  while (to < end && *to > ' ') to++;
  if (to < end && *to == ' ') {
    found.end = to;
    *at = to + 1;
  }
  return found;
}

/* The user may hold spaces, since nginx writes them as they are; but only where the field before is "-", or the line may
 * well be of another format. */
static int read_user(log_line_t *line, const uint8_t **at, const uint8_t *end) {
  const uint8_t *start = *at, *bracket = start;
  int spaces = line->ident.end - line->ident.at == 1 && *line->ident.at == '-';
  log_text_t user = word(at, end);
  line->user = user;
  if (user.end > user.at && is_time(line, *at, end)) return 1;
  while (spaces && bracket < end && (bracket = memchr(bracket, '[', (size_t)(end - bracket))) != NULL) {
    if (bracket - start >= 2 && bracket[-1] == ' ' && is_time(line, bracket, end)) {
      line->user.end = bracket - 1;
      *at = bracket;
      return 1;
    }
    bracket++;
  }
  return 0;
}

/* A field in quotes, `*at` being behind the first one; moves on behind the last one. */
static int read_quoted(const uint8_t **at, const uint8_t *end, log_text_t *field) {
  const uint8_t *to = *at;
  field->at = to;
  while (to < end) {
    to += log_plain_length(to, end);
    if (to == end) break;
    if (*to == '"') {
      field->end = to;
      *at = to + 1;
      return 1;
    }
    to += *to == '\\' && end - to > 1 ? 2 : 1;
  }
  return 0;
}

static int is_protocol(const uint8_t *at, const uint8_t *end) {
  if (end - at < 6 || memcmp(at, "HTTP/", 5) != 0) return 0;
  for (at += 5; at < end; at++)
    if (!is_digit(*at) && *at != '.') return 0;
  return 1;
}

/* Splits "GET /path HTTP/1.1"; "GET /path" as HTTP/0.9 had it; a path with spaces where a protocol follows. What is none of
 * these stays in `request`. 1 when it is just three words. */
static int split_request(log_line_t *line) {
  const log_text_t all = line->request;
  const uint8_t *path = all.at, *last = all.end;
  while (path < all.end && ((*path >= 'A' && *path <= 'Z') || *path == '-' || *path == '_')) path++;
  if (path == all.at || all.end - path < 2 || *path != ' ') return 0;
  path++;
  while (last > path && last[-1] > ' ' ) last--;
  if (last > path + 1 && last[-1] == ' ' && is_protocol(last, all.end)) {
    line->protocol.at = last;
    line->protocol.end = all.end;
    last--;
  } else if (last == path && *path == '/') {
    last = all.end;
  } else {
    return 0;
  }
  line->method.at = all.at;
  line->method.end = path - 1;
  line->path.at = path;
  line->path.end = last;
  line->request.at = line->request.end = NULL;
  while (path < last && *path > ' ') path++;
  return path == last && line->protocol.at != NULL;
}

/* Everything behind the request. */
static int read_rest(log_line_t *line, log_text_t text, const uint8_t *at, int format) {
  const uint8_t *end = text.end;
  if (end - at < 4 || *at != ' ' || (line->status = digits(at + 1, 3)) < 0 || (end - at > 4 && at[4] != ' '))
    return failed(line, text.at, at, "Cannot find a status of three digits after the request");
  at += 4;
  if (end - at < 2) return failed(line, text.at, at, "Cannot find the number of bytes after the status");
  line->bytes.at = ++at;
  if (*at == '-') {
    line->bytes.at = NULL;
    at++;
  } else {
    while (at < end && is_digit(*at)) at++;
    line->bytes.end = at;
  }
  if (line->bytes.at == at || (at < end && *at != ' ') || (line->bytes.at != NULL && at - line->bytes.at > BYTES_DIGITS))
    return failed(line, text.at, at, "Cannot read the number of bytes: use digits or \"-\"");
  if (at == end) {
    if (format == FORMAT_COMBINED) return failed(line, text.at, at, "Cannot find the referer: the line ends");
    return 1;
  }
  if (format == FORMAT_COMMON) return failed(line, text.at, at, "Cannot read the line as common: text follows the number of bytes");
  if (end - at < 2 || at[1] != '"') return failed(line, text.at, at, "Cannot find the referer's opening quote");
  at += 2;
  if (!read_quoted(&at, end, &line->referer)) return failed(line, text.at, at, "Cannot find the referer's closing quote");
  if (end - at < 2 || at[0] != ' ' || at[1] != '"') return failed(line, text.at, at, "Cannot find the user agent's opening quote");
  at += 2;
  if (!read_quoted(&at, end, &line->user_agent)) return failed(line, text.at, at, "Cannot find the user agent's closing quote");
  if (at == end) return 1;
  if (*at != ' ') return failed(line, text.at, at, "Cannot read what follows the user agent: no space before it");
  line->extra.at = at + 1;
  line->extra.end = end;
  return 1;
}

/* *simple: the status is the ninth field for awk as well. */
static int read_fields(log_line_t *line, log_text_t text, int format, int *simple) {
  const uint8_t *at = text.at, *end = text.end, *start;
  line->remote_addr = word(&at, end);
  if (line->remote_addr.end == text.at) return failed(line, text.at, at, "Cannot find the remote address");
  line->ident = word(&at, end);
  if (line->ident.end == line->ident.at) return failed(line, text.at, at, "Cannot find the identity after the remote address");
  start = at;
  if (!read_user(line, &at, end)) return failed(line, text.at, start, "Cannot find the user and \"[time] \" after it");
  *simple = line->user.end + 1 == at && log_plain_length(line->user.at, line->user.end) == (uint64_t)(line->user.end - line->user.at) &&
            memchr(line->user.at, ' ', (size_t)(line->user.end - line->user.at)) == NULL;
  at += TIME_LENGTH + 4;
  start = at;
  if (!read_quoted(&at, end, &line->request)) return failed(line, text.at, start, "Cannot find the request's closing quote");
  *simple &= split_request(line);
  return read_rest(line, text, at, format);
}

int log_line_read(log_line_t *line, log_text_t text, int format) {
  int simple = 0, parsed, ninth;
  memset(line, 0, sizeof *line);
  line->status = -1;
  parsed = read_fields(line, text, format, &simple);
  if (parsed && simple) return 1;
  ninth = ninth_field(text);
  if (!parsed) {
    line->status = ninth;
    return 0;
  }
  if (ninth < 0 || ninth == line->status) return 1;
  line->status = ninth;
  return failed(line, text.at, text.at, "Cannot tell the status: field 9 differs from the number after the request");
}
