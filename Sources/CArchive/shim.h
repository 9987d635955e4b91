#ifndef CONTAINERZ_CARCHIVE_SHIM_H
#define CONTAINERZ_CARCHIVE_SHIM_H
#include <archive.h>
#include <archive_entry.h>
#endif
