/* Error texts say which value was wrong, and the log warns of addresses that nobody can reach. */
#include "check.h"
#include "cute_networking.h"

#include <inttypes.h>

static char warned[512];

static void on_log(void* user, cnx_log_level_t level, const char* text)
{
    (void)user;
    if (level == CNX_LOG_WARNING) strncpy(warned, text, sizeof(warned) - 1);
}

static bool warns(const char* text)
{
    bool so = strcmp(warned, text) == 0;
    if (!so) fprintf(stderr, "\"%s\"\n", warned);
    memset(warned, 0, sizeof(warned));
    return so;
}

static void CHECK_SAYS(cn_result_t result, const char* text)
{
    CHECK(cn_is_error(result));
    if (strcmp(result.details, text) != 0) {
        fprintf(stderr, "\"%s\" instead of \"%s\"\n", result.details, text);
        exit(1);
    }
}

static cn_result_t of_cf(CF_Result result)
{
    cn_result_t same;
    same.code = result.code;
    same.details = result.details;
    return same;
}

static void without_a_connection(session_t* session)
{
    const char* idle = "Client is not connected. It is in CN_CLIENT_STATE_DISCONNECTED: connect it first.";
    const char* asking = "Client is not connected. It is in CN_CLIENT_STATE_SENDING_CONNECTION_REQUEST: "
        "update it until it is in CN_CLIENT_STATE_CONNECTED.";
    const char* empty = "Client is not connected. There is none in slot 5.";
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    uint8_t token[CN_CONNECT_TOKEN_SIZE], user_data[CN_CONNECT_TOKEN_USER_DATA_SIZE];
    cnx_send_options_t options;
    cnx_statistics_t statistics;
    cnx_simulator_t network;
    cn_endpoint_t endpoint;
    memset(&options, 0, sizeof(options));
    options.size = (uint32_t)sizeof(options);
    statistics.size = (uint32_t)sizeof(statistics);
    CHECK_SAYS(cn_client_send(client, "x", 1, true), idle);
    CHECK_SAYS(cnx_client_send_with(client, "x", 1, &options), idle);
    CHECK_SAYS(cnx_client_statistics(client, &statistics), idle);
    CHECK_SAYS(cnx_client_disconnect_with(client, 16, NULL, 0), idle);
    CHECK_SAYS(cnx_client_bound_endpoint(client, &endpoint), idle);
    make_token(token, &session->secret_key, session->address, 1);
    CHECK_OK(cn_client_connect(client, token));
    CHECK_SAYS(cn_client_send(client, "x", 1, true), asking);
    CHECK_SAYS(of_cf(cf_client_send_msg(client, 0, 1, "x", 1)), asking);
    CHECK_SAYS(cn_server_send(session->server, "x", 1, 5, true), empty);
    CHECK_SAYS(of_cf(cf_server_send_msg(session->server, 5, 0, 1, "x", 1)), empty);
    CHECK_SAYS(cnx_server_send_with(session->server, "x", 1, 5, &options), empty);
    CHECK_SAYS(cnx_server_client_statistics(session->server, 5, &statistics), empty);
    CHECK_SAYS(cnx_server_client_user_data(session->server, 5, user_data), empty);
    CHECK_SAYS(cnx_server_disconnect_client_with(session->server, 5, 16, NULL, 0), empty);
    CHECK_SAYS(cn_server_send(session->server, "x", 1, -3, true),
        "Client is not connected. There is no slot -3: they are 0 to 31.");
    CHECK_SAYS(cn_server_send(session->server, "x", 1, 32, true),
        "Client is not connected. There is no slot 32: they are 0 to 31.");
    CHECK_SAYS(cn_server_send(session->server, "x", -5, 0, true),
        "Empty packets are not allowed. `size` is -5: pass how many bytes the packet has.");
    CHECK_SAYS(cn_client_send(client, "x", -5, true),
        "Empty packets are now allowed. `size` is -5: pass how many bytes the packet has.");
    CHECK_SAYS(cn_client_send(client, "x", 0, true), "Empty packets are now allowed.");
    options.size = 1000;
    CHECK_SAYS(cnx_client_send_with(client, "x", 1, &options),
        "`options->size` is 1000, that of a later version of the library, or not set.");
    options.size = 8;
    CHECK_SAYS(cnx_client_send_with(client, "x", 1, &options),
        "`options->size` is not set, but 8: set it to sizeof(cnx_send_options_t).");
    network.size = 1000;
    CHECK_SAYS(cnx_client_set_simulator(client, NULL, &network, 1),
        "`incoming->size` is 1000, that of a later version of the library, or not set.");
    cn_client_destroy(client);
}

static void tokens(session_t* session)
{
    char text[256];
    uint64_t now = unix_now(), late = now + 1000000;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID + 1, false, NULL);
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    const char* address = session->address;
    cn_crypto_key_t up = cn_crypto_generate_key(), down = cn_crypto_generate_key();
    make_token(token, &session->secret_key, address, 1);
    CHECK_SAYS(cn_client_connect(client, token),
        "Invalid connect token. It was made for the application id 42, and the client's is 43.");
    token[0] ^= 1;
    CHECK_SAYS(cn_client_connect(client, token), "Invalid connect token. It is neither of CUTE 2.00 nor of CUTE 1.00, the "
        "protocols that this library speaks: pass the 1114 bytes that cn_generate_connect_token wrote.");
    cn_client_destroy(client);

    client = cn_client_create(0, APPLICATION_ID, false, NULL);
    CHECK_OK(cn_generate_connect_token(APPLICATION_ID, now, &up, &down, now + 60, 5, 1, &address, 1, NULL,
        &session->secret_key, token));
    CHECK_OK(cn_client_connect(client, token));
    cn_client_update(client, TICK, late);
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECT_TOKEN_EXPIRED);
    snprintf(text, sizeof(text), "Invalid connect token. It expired at %" PRIu64 ", and the client's last update said "
        "that it is %" PRIu64 ", in unix seconds: ask the web service for a new one.", now + 60, late);
    CHECK_SAYS(cn_client_connect(client, token), text);
    cn_client_destroy(client);
}

/* A token for a program that takes unix milliseconds for seconds. */
static void milliseconds(uint8_t* token, const cn_crypto_sign_secret_t* secret)
{
    const char* address = "203.0.113.7:5000";
    cn_crypto_key_t up = cn_crypto_generate_key(), down = cn_crypto_generate_key();
    CHECK_OK(cn_generate_connect_token(APPLICATION_ID, UINT64_C(1796000000000), &up, &down, UINT64_C(1796000060000), 5, 1, &address, 1,
        NULL, secret, token));
}

/* A server that can't start says what to do about it. */
static void starts(session_t* session)
{
    cn_server_config_t config = session_config(session);
    cn_server_t* other = cn_server_create(config);
    cn_server_t* without_keys;
    cn_result_t result = cn_server_start(other, session->address);
    CHECK(cn_is_error(result) && strncmp(result.details, "Unable to open socket. ", 23) == 0);
    CHECK(strstr(result.details, "; something else has this port: pass another, or 0 to let the system choose one"));
    result = cn_server_start(other, "203.0.113.7:5000");
    if (cn_is_error(result)) { /* wine listens at every address instead */
        CHECK(strncmp(result.details, "Unable to open socket. 203.0.113.7:5000: ", 41) == 0);
        CHECK(strstr(result.details, "; this machine has no such address: pass 0.0.0.0 or [::] for all that it has"));
    }
    cn_server_stop(other);
    CHECK_SAYS(cn_server_send(other, "x", 1, 0, true),
        "Client is not connected. The server does not run: start it first.");
    cn_server_destroy(other);
    memset(&config.public_key, 0, sizeof(config.public_key));
    memset(&config.secret_key, 0, sizeof(config.secret_key));
    without_keys = cn_server_create(config);
    CHECK_SAYS(cn_server_start(without_keys, "127.0.0.1:0"), "The secret key is not set, but all zeros: pass the two "
        "halves that one call of cn_crypto_sign_keygen made.");
    cn_server_destroy(without_keys);
}

static void addresses(session_t* session)
{
    char text[256];
    cn_endpoint_t endpoint;
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    cn_client_t* client;
    cn_result_t result;
    cn_server_t* other = cn_server_create(session_config(session));
    CHECK_SAYS(cn_server_start(other, NULL), "Unable to initialize endpoint. The address is NULL.");
    CHECK_SAYS(cn_server_start(other, "\xFF:5000"), "Unable to initialize endpoint. \"\\xff:5000\" is no text.");
    CHECK_SAYS(cn_server_start(other, "256.1.1.1:5000"), "Unable to initialize endpoint. \"256.1.1.1:5000\": this is no "
        "address in numbers: write it as 203.0.113.7:5000 or [2001:db8::7]:5000.");
    result = cn_server_start(other, "2001:db8::7:5000");
    CHECK(cn_is_error(result) && strstr(result.details, "Unable to open socket. 2001:db8::7:5000: ") == result.details);
    CHECK(strstr(result.details, "; a port behind an IPv6 address is written [2001:db8::7]:5000") != NULL);
    cn_server_destroy(other);

    /* A port that is taken. */
    CHECK(cn_endpoint_init(&endpoint, session->address) == 0);
    client = cn_client_create(endpoint.port, APPLICATION_ID, false, NULL);
    make_token(token, &session->secret_key, session->address, 1);
    result = cn_client_connect(client, token);
    if (cn_is_error(result)) { /* the server's is that of one address alone, beside which some systems allow another */
        snprintf(text, sizeof(text), "Unable to open socket. Port %d: ", (int)endpoint.port);
        CHECK(strncmp(result.details, text, strlen(text)) == 0);
    }

    /* A NULL token ends nothing. */
    cn_client_destroy(client);
    client = cn_client_create(0, APPLICATION_ID, false, NULL);
    session_connect(session, client, 1);
    CHECK_SAYS(cn_client_connect(client, NULL), "Invalid connect token. It is NULL.");
    CHECK(cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED);
    cn_client_destroy(client);

    cnx_set_log_callback(on_log, CNX_LOG_DEBUG, NULL);
    make_token(token, &session->secret_key, "203.0.113.7", 1);
    CHECK(warns("An address of a connect token, 203.0.113.7, has no port: nobody can be reached there over UDP"));
    make_token(token, &session->secret_key, "2001:db8::7:5000", 1);
    CHECK(warns("An address of a connect token, 2001:db8::7:5000, has no port: nobody can be reached there over UDP"));
    cn_server_set_public_ip(session->server, "203.0.113.7");
    CHECK(warns("A public address, 203.0.113.7, has no port: nobody can be reached there over UDP"));
    CHECK_OK(cnx_server_add_public_address(session->server, "203.0.113.8"));
    CHECK(warns("A public address, 203.0.113.8, has no port: nobody can be reached there over UDP"));
    CHECK_OK(cnx_server_add_public_address(session->server, "203.0.113.8:5000"));
    make_token(token, &session->secret_key, "203.0.113.7:5000", 1);
    CHECK(warns(""));
    milliseconds(token, &session->secret_key);
    CHECK(warns("A connect token expires at 1796000060000, in three thousand years and more: times are unix seconds"));
    client = cn_client_create(0, APPLICATION_ID, false, NULL);
    CHECK_OK(of_cf(cf_client_connect_insecure(client, "127.0.0.1", APPLICATION_ID)));
    CHECK(warns("The server's address, 127.0.0.1, has no port: nobody can be reached there over UDP"));
    cn_client_destroy(client);
    cnx_set_log_callback(NULL, CNX_LOG_DEBUG, NULL);
}

static void full_queues(session_t* session)
{
    enum { MOST = 20971520 };
    const char* full = "More than 30 MiB of reliable messages, or 32 MiB of all, would wait for the peer: send less, or "
        "wait until it took some.";
    char text[256];
    char* packet = (char*)calloc(1, MOST + 1);
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    session_connect(session, client, 2);
    cnx_client_set_send_mode(client, CNX_SEND_BATCHED);
    snprintf(text, sizeof(text), "Send queue for reliable packets is full. %s", full);
    CHECK_OK(cn_client_send(client, packet, MOST, true));
    CHECK_SAYS(cn_client_send(client, packet, MOST / 2, true), text);
    CHECK_SAYS(cn_client_send(client, packet, MOST, false), full);
    CHECK_OK(cn_client_send(client, packet, MOST / 2, false));
    CHECK_SAYS(cn_client_send(client, packet, MOST + 1, false), "`size` exceeded `max_size_single_send` config param. The "
        "message has 20971521 bytes; one message has at most 20971520.");
    cn_client_destroy(client);
    free(packet);
}

static void nulls(session_t* session)
{
    cn_endpoint_t endpoint;
    cn_client_t* client = cn_client_create(0, APPLICATION_ID, false, NULL);
    CHECK_SAYS(cnx_server_client_user_data(session->server, 0, NULL), "`user_data_out` is NULL.");
    CHECK_SAYS(cnx_server_client_user_data(NULL, 0, NULL), "`server` is NULL.");
    CHECK_SAYS(cnx_server_bound_endpoint(session->server, NULL), "`endpoint_out` is NULL.");
    CHECK_SAYS(cnx_server_bound_endpoint(NULL, &endpoint), "`server` is NULL.");
    CHECK_SAYS(cnx_client_bound_endpoint(client, NULL), "`endpoint_out` is NULL.");
    CHECK_SAYS(cnx_client_bound_endpoint(NULL, &endpoint), "`client` is NULL.");
    cn_client_destroy(client);
}

int main(void)
{
    session_t session;
    use_everything();
    session_start(&session);
    without_a_connection(&session);
    tokens(&session);
    starts(&session);
    addresses(&session);
    full_queues(&session);
    nulls(&session);
    cn_server_destroy(session.server);
    return 0;
}
