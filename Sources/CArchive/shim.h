// What libarchive offers only as macros with casts.
#ifndef CONTAINERZ_CARCHIVE_SHIM_H
#define CONTAINERZ_CARCHIVE_SHIM_H
#include <archive.h>
#include <archive_entry.h>

static const __LA_MODE_T cz_regular_file = AE_IFREG;
static const __LA_MODE_T cz_directory = AE_IFDIR;
static const __LA_MODE_T cz_symbolic_link = AE_IFLNK;
static const __LA_MODE_T cz_block_device = AE_IFBLK;
#endif
