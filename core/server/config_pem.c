/* The certificates and keys that a config names, read while the server may: config_read_tls() of config.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/server/config.h"
#include "io/base/bytes.h"

enum { CONFIG_PEM_BYTES_MAX = 1024 * 1024 }; /* a certificate chain or key */

static enum rp_err read_pem(const char *path, char **out, char *reason, size_t reason_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size <= 0 || st.st_size > CONFIG_PEM_BYTES_MAX) {
		snprintf(reason, reason_size,
			"%s: cannot be read as a certificate or key (%s); see the tls section of the config", path,
			fd < 0 ? strerror(errno) : "its size");
		if (fd >= 0)
			close(fd);
		return RP_ERR_NOTFOUND;
	}
	char *text = calloc(1, (size_t)st.st_size + 1);
	ssize_t n = text != NULL ? pread(fd, text, (size_t)st.st_size, 0) : -1;

	close(fd);
	if (n != st.st_size) {
		if (text != NULL)
			bytes_wipe(text, (size_t)st.st_size);
		free(text);
		snprintf(reason, reason_size, "%s: changed while it was read", path);
		return RP_ERR_IO;
	}
	*out = text;
	return RP_OK;
}

enum rp_err config_read_tls(struct config *config, char *reason, size_t reason_size)
{
	for (size_t i = 0; i < config->tls_count; i++) {
		struct config_tls *tls = &config->tls[i];
		enum rp_err err = read_pem(tls->cert_path, &tls->cert_pem, reason, reason_size);

		if (err == RP_OK)
			err = read_pem(tls->key_path, &tls->key_pem, reason, reason_size);
		if (err != RP_OK)
			return err;
	}
	return RP_OK;
}
