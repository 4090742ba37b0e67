#include "archive.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <regex>

#include "columns.hpp"
#include "parquet_file.hpp"

using busbar::Failed;
using busbar::Level;
using busbar::Record;
namespace fs = std::filesystem;

namespace {

constexpr const char *JOURNAL = ".journal", *LIST = ".seen", *FINAL = ".parquet", *PART = ".parquet.part";
// Far longer than a pipeline is behind with acknowledging.
constexpr std::chrono::hours LIST_KEPT{1};

std::string utc_now() {
  const time_t seconds = time(nullptr);
  struct tm utc;
  char text[32];
  gmtime_r(&seconds, &utc);
  strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc);
  return text;
}

std::string numbered(const std::string &prefix, const std::string &time, uint64_t number) {
  char digits[24];
  snprintf(digits, sizeof digits, "%06llu", (unsigned long long)number);
  return prefix + "-" + time + "-" + digits;
}

fs::path beside(const fs::path &path, const std::string &base, const char *suffix) { return path / (base + suffix); }

// The number in the name of one of our files, and what stands behind it.
struct Name {
  std::string base, suffix;
  uint64_t number;
};

std::optional<Name> parse_name(const std::string &name, const std::string &prefix) {
  static const std::regex form("-[0-9]{8}T[0-9]{6}Z-([0-9]{6,18})(\\..*)");
  std::smatch match;
  if (name.compare(0, prefix.size(), prefix) != 0) return std::nullopt;
  const std::string rest = name.substr(prefix.size());
  if (!std::regex_match(rest, match, form)) return std::nullopt;
  return Name{name.substr(0, name.size() - match[2].str().size()), match[2], std::stoull(match[1])};
}

}  // namespace

/* ---- Lifecycle -------------------------------------------------------------------------------------------------------- */

void Archive::start() {
  try {
    make_folder(settings_.directory);
    const fs::path path = settings_.directory / ("." + settings_.prefix + ".lock");
    lock_ = File(path, O_RDWR | O_CREAT);
    if (flock(lock_.descriptor(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) fail("lock", path);
      throw Failed("Cannot lock \"" + path.string() + "\": another reaction writes files with this prefix, choose another \"prefix\" or \"directory\"");
    }
    space_ = read_space(context());
    recover();
  } catch (const fs::filesystem_error &error) {
    release();
    throw Failed(error.what());
  } catch (...) {
    release();
    throw;
  }
}

void Archive::stop() {
  try {
    attempt([&] { finish(); });
  } catch (...) {
    // The journal stays, and the next start makes a file of it.
    release();
    throw;
  }
  release();
}

void Archive::release() noexcept {
  journal_.reset();
  seen_.clear();
  listed_.clear();
  lock_ = File();
  sealed_ = false;
  next_number_ = 1;
}

// Finishes what a crash left, and learns which events are here although they will be offered again.
void Archive::recover() {
  std::vector<fs::path> journals, lists;
  const auto look = [&](const fs::path &folder, bool own) {
    for (const fs::directory_entry &entry : fs::directory_iterator(folder)) {
      const auto found = parse_name(entry.path().filename().string(), settings_.prefix);
      if (!found) continue;
      next_number_ = std::max(next_number_, found->number + 1);
      if (own && found->suffix == JOURNAL) journals.push_back(entry.path());
      if (own && found->suffix == LIST) lists.push_back(entry.path());
    }
  };
  for (const fs::directory_entry &entry : fs::directory_iterator(settings_.directory))
    if (entry.is_directory() && entry.path().filename().string().compare(0, 5, "date=") == 0) look(entry.path(), false);
  look(settings_.directory, true);
  std::sort(journals.begin(), journals.end());
  for (const fs::path &journal : journals) {
    // Its list has the events, if it has any.
    lists.erase(std::remove(lists.begin(), lists.end(), fs::path(journal).replace_extension(LIST)), lists.end());
    convert(journal);
  }
  for (const Listed &listed : listed_) lists.push_back(listed.path);
  listed_.clear();
  for (const fs::path &list : lists) {
    if (seen_.load(list, space_, context()) > 0) listed_.push_back({list, Clock::now()});
    else remove_file(list);
  }
}

/* ---- Events ----------------------------------------------------------------------------------------------------------- */

template <class Body>
void Archive::attempt(Body &&body) {
  try {
    body();
    problem_.clear();
  } catch (const fs::filesystem_error &error) {
    problem_ = error.what();
    throw Failed(problem_);
  } catch (const Failed &error) {
    problem_ = error.what();
    throw;
  }
}

void Archive::write(busbar::WriteBatch &batch) {
  uint64_t rows = 0, bytes = 0, again = 0;
  const auto tell = [&] {
    const std::pair<const char *, uint64_t> counts[] = {{"rows_total", rows}, {"bytes_in_total", bytes}, {"repeated_rows_total", again}};
    for (const auto &[name, count] : counts)
      if (count > 0) context().counter(name, count);
  };
  try {
    for (const Record record : batch) {
      try {
        attempt([&] { make_room(); });
      } catch (const Failed &error) {
        throw Failed(record, error.what());
      }
      if (!seen_.empty() && seen_.take(identity_of(record))) {
        again++;
        continue;
      }
      check_columns(settings_.columns, record);
      journal_->append(record);
      rows++;
      bytes += record.payload().size();
    }
  } catch (...) {
    tell();
    throw;
  }
  tell();
}

void Archive::make_room() {
  if (is_due()) finish();
  if (!journal_) open_journal();
  journal_->spill(false);
}

void Archive::flush() {
  attempt([&] {
    if (is_due()) finish();
    else if (journal_) journal_->sync();
  });
}

void Archive::tick(busbar::TickBatch &) {
  attempt([&] {
    if (is_due()) finish();
  });
  forget_old_lists();
}

bool Archive::is_due() const {
  if (!journal_) return false;
  if (sealed_ || journal_->rows() >= settings_.max_file_rows || journal_->bytes() >= settings_.max_file_size) return true;
  return journal_->rows() > 0 && Clock::now() - opened_ >= settings_.max_file_age;
}

/* ---- Files ------------------------------------------------------------------------------------------------------------ */

void Archive::open_journal() {
  const std::string base = numbered(settings_.prefix, utc_now(), next_number_);
  journal_.emplace(beside(settings_.directory, base, JOURNAL), space_);
  next_number_++;
  opened_ = Clock::now();
}

void Archive::finish() {
  if (!journal_) return;
  sealed_ = true;
  journal_->sync();
  convert(journal_->path());
  journal_.reset();
  sealed_ = false;
}

fs::path Archive::final_path(const std::string &base) const {
  if (!settings_.partition_by_date) return beside(settings_.directory, base, FINAL);
  const std::string day = base.substr(settings_.prefix.size() + 1, 8);
  const std::string folder = "date=" + day.substr(0, 4) + "-" + day.substr(4, 2) + "-" + day.substr(6, 2);
  return beside(settings_.directory / folder, base, FINAL);
}

void Archive::convert(const fs::path &path) {
  const std::string base = path.stem().string();
  const fs::path list = fs::path(path).replace_extension(LIST), final = final_path(base);
  const fs::path part = beside(final.parent_path(), base, PART);
  if (!fs::exists(final)) {
    JournalReader journal(path);
    if (journal.next() != nullptr) {
      make_folder(final.parent_path());
      SeenWriter seen;
      const uint64_t bytes = write_parquet(journal, part, seen, context(), settings_);
      seen.write(list, journal.space());
      sync_folder(settings_.directory);
      rename_file(part, final);
      sync_folder(final.parent_path());
      context().counter("files_total");
      context().counter("bytes_out_total", bytes);
      context().log(Level::debug, "Finished a file", {{"path", final.string()}, {"bytes", bytes}});
    }
    if (journal.left_over() > 0)
      context().log(Level::warning, "Cut a journal back to its last whole event: what was behind it was never confirmed",
                    {{"path", path.string()}, {"bytes", journal.left_over()}});
  }
  remove_file(path);
  sync_folder(settings_.directory);
  if (fs::exists(list)) listed_.push_back({list, Clock::now()});
}

void Archive::forget_old_lists() {
  const auto is_old = [](const Listed &listed) { return Clock::now() - listed.since >= LIST_KEPT; };
  for (const Listed &listed : listed_)
    if (is_old(listed)) remove_file(listed.path);
  listed_.erase(std::remove_if(listed_.begin(), listed_.end(), is_old), listed_.end());
}
