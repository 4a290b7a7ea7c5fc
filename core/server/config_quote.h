/* config_quote.h -- the quote that has no end, which the library reads as the end of the file. */
#ifndef RP_CORE_SERVER_CONFIG_QUOTE_H
#define RP_CORE_SERVER_CONFIG_QUOTE_H

/* The line, from 1, on which a quoted text or a comment begins that does not end in this file; 0: all end, or it cannot be read. */
unsigned config_quote_unclosed(const char *path);

#endif
