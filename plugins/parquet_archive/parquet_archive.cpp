// parquet-archive: writes events into rotating Parquet files, each event once. See README.md.
#include "archive.hpp"

BUSBAR_EXPORT_PLUGIN(Archive)
