#include "tls/tls_client.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

struct tls_client {
	SSL_CTX *ssl;
};

/* Tickets come after the handshake in TLS 1.3, as often as the server likes: the newest is kept. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_client_session *place = SSL_get_app_data(ssl);

	if (place == NULL)
		return 0; /* it stays the library's, which frees it */
	SSL_SESSION_free(place->ssl);
	place->ssl = session;
	return 1;
}

struct tls_client *tls_client_open(void)
{
	struct tls_client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		return NULL;
	client->ssl = SSL_CTX_new(TLS_method());
	if (client->ssl == NULL) {
		ERR_clear_error();
		free(client);
		return NULL;
	}
	SSL_CTX_set_verify(client->ssl, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(
	    client->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(client->ssl, on_session);
	return client;
}

void tls_client_close(struct tls_client *client)
{
	if (client == NULL)
		return;
	SSL_CTX_free(client->ssl);
	free(client);
}

struct tls_conn *tls_client_connect(
    struct tls_client *client, const char *server_name, struct tls_client_session *session)
{
	SSL *ssl = SSL_new(client->ssl);

	if (ssl == NULL) {
		ERR_clear_error();
		return NULL;
	}
	SSL_set_connect_state(ssl);
	SSL_set_app_data(ssl, session);
	if ((server_name != NULL && SSL_set_tlsext_host_name(ssl, server_name) != 1) ||
	    (session != NULL && session->ssl != NULL && SSL_set_session(ssl, session->ssl) != 1)) {
		ERR_clear_error();
		SSL_free(ssl);
		return NULL;
	}
	return tls_conn_of(ssl);
}

void tls_client_session_fini(struct tls_client_session *session)
{
	SSL_SESSION_free(session->ssl);
	session->ssl = NULL;
}
