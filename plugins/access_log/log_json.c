#include "log_json.h"

#include <stdio.h>
#include <string.h>

static void put(json_writer_t *to, const void *bytes, uint64_t count) {
  if (to->length <= to->capacity && count <= to->capacity - to->length && count > 0) memcpy(to->data + to->length, bytes, count);
  to->length += count;
}

#define PUT(to, literal) put(to, literal, sizeof(literal) - 1)

static int hex(uint8_t c) {
  if (c >= '0' && c <= '9') return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The next byte of a field, moving on. Where it is escaped, as Apache and nginx write it, the byte it stands for. */
static uint8_t next_byte(const uint8_t **at, const uint8_t *end, int escaped) {
  static const char letters[] = "\"\\bnrtvfa", bytes[] = "\"\\\b\n\r\t\v\f\a";
  const uint8_t *from = *at;
  const char *letter;
  *at = from + 1;
  if (!escaped || *from != '\\' || end - from < 2) return *from;
  if (from[1] == 'x' && end - from >= 4 && hex(from[2]) >= 0 && hex(from[3]) >= 0) {
    *at = from + 4;
    return (uint8_t)(hex(from[2]) << 4 | hex(from[3]));
  }
  letter = from[1] == 0 ? NULL : strchr(letters, from[1]);
  if (letter == NULL) return '\\';
  *at = from + 2;
  return (uint8_t)bytes[letter - letters];
}

static void put_ascii(json_writer_t *to, uint8_t c) {
  static const char digits[] = "0123456789abcdef";
  char text[6] = {'\\', (char)c, '0', '0', 0, 0};
  switch (c) {
    case '"':
    case '\\': break;
    case '\b': text[1] = 'b'; break;
    case '\f': text[1] = 'f'; break;
    case '\n': text[1] = 'n'; break;
    case '\r': text[1] = 'r'; break;
    case '\t': text[1] = 't'; break;
    default:
      if (c >= 0x20) {
        put(to, &c, 1);
        return;
      }
      text[1] = 'u';
      text[4] = digits[c >> 4];
      text[5] = digits[c & 15];
      put(to, text, 6);
      return;
  }
  put(to, text, 2);
}

/* A character that begins with the byte `first`, which is not ASCII. What is not UTF-8 becomes U+FFFD, one for each longest
 * beginning of a character, as browsers do it. */
static void put_character(json_writer_t *to, uint8_t first, const uint8_t **at, const uint8_t *end, int escaped) {
  uint8_t text[4] = {first}, low = 0x80, high = 0xbf;
  uint64_t count, length = 1;
  if (first >= 0xc2 && first <= 0xdf) count = 2;
  else if (first >= 0xe0 && first <= 0xef) count = 3;
  else if (first >= 0xf0 && first <= 0xf4) count = 4;
  else count = 0;
  if (first == 0xe0) low = 0xa0;
  if (first == 0xed) high = 0x9f;
  if (first == 0xf0) low = 0x90;
  if (first == 0xf4) high = 0x8f;
  for (; length < count && *at < end; length++) {
    const uint8_t *after = *at;
    uint8_t c = next_byte(&after, end, escaped);
    if (c < low || c > high) break;
    text[length] = c;
    *at = after;
    low = 0x80;
    high = 0xbf;
  }
  if (count > 0 && length == count) put(to, text, count);
  else PUT(to, "\xef\xbf\xbd");
}

/* A JSON string with its quotes. `escaped`: the field was written with the server's escapes. */
static void put_string(json_writer_t *to, log_text_t text, int escaped) {
  const uint8_t *at = text.at;
  PUT(to, "\"");
  while (at < text.end) {
    uint64_t plain = log_plain_length(at, text.end);
    uint8_t c;
    put(to, at, plain);
    at += plain;
    if (at == text.end) break;
    c = next_byte(&at, text.end, escaped);
    if (c < 0x80) put_ascii(to, c);
    else put_character(to, c, &at, text.end, escaped);
  }
  PUT(to, "\"");
}

static void put_field(json_writer_t *to, log_text_t text) {
  if (text.at == NULL) PUT(to, "null");
  else put_string(to, text, 1);
}

static void put_status(json_writer_t *to, int status) {
  char text[3] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10), (char)('0' + status % 10)};
  int zeros = status >= 100 ? 0 : status >= 10 ? 1 : 2;
  PUT(to, "\"status\":");
  put(to, text + zeros, (uint64_t)(3 - zeros));
}

static void put_digits(json_writer_t *to, log_text_t digits) {
  if (digits.at == NULL) {
    PUT(to, "null");
    return;
  }
  while (digits.end - digits.at > 1 && *digits.at == '0') digits.at++;
  put(to, digits.at, (uint64_t)(digits.end - digits.at));
}

void write_parsed(json_writer_t *to, const log_line_t *line, log_text_t raw) {
  PUT(to, "{\"remote_addr\":");
  put_field(to, line->remote_addr);
  PUT(to, ",\"ident\":");
  put_field(to, line->ident);
  PUT(to, ",\"user\":");
  put_field(to, line->user);
  PUT(to, ",\"time\":\"");
  put(to, line->time, sizeof line->time);
  PUT(to, "\",\"method\":");
  put_field(to, line->method);
  PUT(to, ",\"path\":");
  put_field(to, line->path);
  PUT(to, ",\"protocol\":");
  put_field(to, line->protocol);
  if (line->request.at != NULL) {
    PUT(to, ",\"request\":");
    put_string(to, line->request, 0);
  }
  PUT(to, ",");
  put_status(to, line->status);
  PUT(to, ",\"bytes\":");
  put_digits(to, line->bytes);
  PUT(to, ",\"referer\":");
  put_field(to, line->referer);
  PUT(to, ",\"user_agent\":");
  put_field(to, line->user_agent);
  if (line->extra.at != NULL) {
    PUT(to, ",\"extra\":");
    put_string(to, line->extra, 0);
  }
  if (raw.at != NULL) {
    PUT(to, ",\"raw\":");
    put_string(to, raw, 0);
  }
  PUT(to, "}");
}

void write_unparsed(json_writer_t *to, const log_line_t *line, log_text_t raw) {
  char column[40];
  int length = snprintf(column, sizeof column, " (column %llu)\"", (unsigned long long)line->column);
  log_text_t error = {(const uint8_t *)line->error, (const uint8_t *)line->error + strlen(line->error)};
  PUT(to, "{\"raw\":");
  put_string(to, raw, 0);
  PUT(to, ",\"parse_error\":");
  put_string(to, error, 0);
  to->length--; /* its closing quote: the column goes before it */
  put(to, column, (uint64_t)length);
  if (line->status >= 0) {
    PUT(to, ",");
    put_status(to, line->status);
  }
  PUT(to, "}");
}
