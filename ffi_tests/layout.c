/* Layouts and values, as programs compiled against the original depend on them. */
#include "cute_net.h"
#include "cute_net.h"
#define CUTE_NET_IMPLEMENTATION
#include "cute_net.h"
#include "cute_net_x.h"
#include "check.h"

/* Other headers name the types by their tags. */
typedef struct cn_client_t Client;
typedef struct cn_server_t Server;
typedef struct cn_endpoint_t Address;
typedef enum cn_address_type_t AddressType;

int main(void)
{
    use_everything();
    CHECK(sizeof(cn_result_t) == 2 * sizeof(void*) && offsetof(cn_result_t, details) == sizeof(void*));
    CHECK(sizeof(cn_endpoint_t) == 24 && offsetof(cn_endpoint_t, port) == 4 && offsetof(cn_endpoint_t, u) == 6);
    CHECK(sizeof(cn_crypto_key_t) == 32 && sizeof(cn_crypto_sign_public_t) == 32);
    CHECK(sizeof(cn_crypto_sign_secret_t) == 64 && sizeof(cn_crypto_signature_t) == 64);
    CHECK(sizeof(cn_address_type_t) == 4 && sizeof(cn_client_state_t) == 4 && sizeof(cn_server_event_type_t) == 4);
    CHECK(sizeof(bool) == 1);
    CHECK(sizeof(cnx_disconnect_reason_t) == 4 && sizeof(cnx_disconnection_t) == 268);
    CHECK(offsetof(cnx_disconnection_t, data) == 12);
    CHECK(sizeof(cnx_delivery_t) == 4 && sizeof(cnx_send_options_t) == 16 && sizeof(cnx_statistics_t) == 64);
    CHECK(sizeof(cnx_simulator_t) == 56 && offsetof(cnx_simulator_t, bytes_per_second) == 48);
    CHECK(offsetof(cnx_message_t, data) == 16 && offsetof(cnx_message_t, reliable) == 20 + sizeof(void*));
    CHECK(CNX_DELIVERY_RELIABLE_ORDERED == 0 && CNX_DELIVERY_UNRELIABLE_SEQUENCED == 3);
    if (sizeof(void*) == 8) {
        CHECK(sizeof(cn_server_config_t) == 136);
        CHECK(offsetof(cn_server_config_t, max_incoming_bytes_per_second) == 8);
        CHECK(offsetof(cn_server_config_t, max_outgoing_bytes_per_second) == 12);
        CHECK(offsetof(cn_server_config_t, connection_timeout) == 16);
        CHECK(offsetof(cn_server_config_t, resend_rate) == 24);
        CHECK(offsetof(cn_server_config_t, public_key) == 32);
        CHECK(offsetof(cn_server_config_t, secret_key) == 64);
        CHECK(offsetof(cn_server_config_t, user_allocator_context) == 128);
        CHECK(sizeof(cn_server_event_t) == 48 && offsetof(cn_server_event_t, u) == 8);
        CHECK(offsetof(cn_server_event_t, u.new_connection.client_index) == 8);
        CHECK(offsetof(cn_server_event_t, u.new_connection.client_id) == 16);
        CHECK(offsetof(cn_server_event_t, u.new_connection.endpoint) == 24);
        CHECK(offsetof(cn_server_event_t, u.disconnected.client_index) == 8);
        CHECK(offsetof(cn_server_event_t, u.payload_packet.data) == 16);
        CHECK(offsetof(cn_server_event_t, u.payload_packet.size) == 24);
    }

    CHECK(CN_ADDRESS_TYPE_NONE == 0 && CN_ADDRESS_TYPE_IPV4 == 1 && CN_ADDRESS_TYPE_IPV6 == 2);
    CHECK(CN_CLIENT_STATE_CONNECT_TOKEN_EXPIRED == -6 && CN_CLIENT_STATE_CONNECTED == 3);
    CHECK(CN_SERVER_EVENT_TYPE_NEW_CONNECTION == 0 && CN_SERVER_EVENT_TYPE_DISCONNECTED == 1);
    CHECK(CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET == 2);
    CHECK(CN_ERROR_SUCCESS == 0 && CN_ERROR_FAILURE == -1);
    CHECK(CN_CONNECT_TOKEN_SIZE == 1114 && CN_CONNECT_TOKEN_USER_DATA_SIZE == 256);
    CHECK(CN_SERVER_MAX_CLIENTS == 32 && CN_CRYPTO_HEADER_BYTES == 36 && CN_KB == 1024 && CN_MB == 1048576);

    {
        cn_server_config_t config = cn_server_config_defaults();
        CHECK(config.application_id == 0 && config.connection_timeout == 10);
        CHECK(config.resend_rate == (double)0.1f);
        CHECK(config.max_incoming_bytes_per_second == 0 && config.max_outgoing_bytes_per_second == 0);
        CHECK(config.user_allocator_context == NULL);
    }
    {
        cn_result_t failure = cn_error_failure("why");
        cn_result_t good = cn_error_success();
        CHECK(cn_is_error(failure) && failure.code == -1 && strcmp(failure.details, "why") == 0);
        CHECK(!cn_is_error(good) && good.code == 0 && good.details == NULL);
        CHECK(!cn_is_error(cn_init()));
    }
    {
        static const char* const names[] = {
            "CN_CLIENT_STATE_CONNECT_TOKEN_EXPIRED", "CN_CLIENT_STATE_INVALID_CONNECT_TOKEN",
            "CN_CLIENT_STATE_CONNECTION_TIMED_OUT", "CN_CLIENT_STATE_CHALLENGE_RESPONSE_TIMED_OUT",
            "CN_CLIENT_STATE_CONNECTION_REQUEST_TIMED_OUT", "CN_CLIENT_STATE_CONNECTION_DENIED",
            "CN_CLIENT_STATE_DISCONNECTED", "CN_CLIENT_STATE_SENDING_CONNECTION_REQUEST",
            "CN_CLIENT_STATE_SENDING_CHALLENGE_RESPONSE", "CN_CLIENT_STATE_CONNECTED",
        };
        cn_client_state_t unknown;
        int state;
        for (state = -6; state <= 3; ++state)
            CHECK(strcmp(cn_client_state_string((cn_client_state_t)state), names[state + 6]) == 0);
        state = 4; /* which is none */
        memcpy(&unknown, &state, sizeof(unknown));
        CHECK(strcmp(cn_client_state_string(unknown), "CN_CLIENT_STATE_UNKNOWN") == 0);
    }
    return 0;
}
