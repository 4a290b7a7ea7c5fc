/* version.h -- what this server calls itself. */
#ifndef RP_CORE_SERVER_VERSION_H
#define RP_CORE_SERVER_VERSION_H

#define RP_VERSION "0.1.0"

#endif
