/*
 * Cute Framework's surface as languages see it that read no header: the functions which the header has inline are
 * symbols too, and say the same; those that C programs rarely call do what their twins of cute_net.h do.
 */
#include "check.h"

typedef struct wire_t
{
    void* udata;
    int (*send)(void* udata, const void* data, int size);
    int (*recv)(void* udata, void* data, int size);
} wire_t;

#ifdef __cplusplus
extern "C" {
#endif
bool cf_is_error(cn_result_t);
cn_result_t cf_result_error(const char*);
cn_result_t cf_result_success(void);
const char* cf_address_type_to_string(int);
const char* cf_client_state_to_string(int);
const char* cf_server_event_type_to_string(int);
cn_server_t* cf_make_server_insecure(uint64_t);
cn_client_t* cf_make_client(uint16_t, uint64_t, bool);
cn_result_t cf_server_start(cn_server_t*, const char*);
cn_result_t cf_client_connect_insecure(cn_client_t*, const char*, uint64_t);
cn_result_t cf_client_send(cn_client_t*, const void*, int, bool);
int cf_client_state(const cn_client_t*);
void cf_client_update(cn_client_t*, double, uint64_t);
void cf_server_update(cn_server_t*, double, uint64_t);
bool cf_server_is_client_connected(cn_server_t*, int);
void cf_server_set_public_ip(cn_server_t*, const char*);
void cf_server_enable_network_simulator(cn_server_t*, double, double, double, double);
void cf_client_enable_network_simulator(cn_client_t*, double, double, double, double);
void cf_client_set_wire(cn_client_t*, wire_t);
void cf_destroy_client(cn_client_t*);
void cf_destroy_server(cn_server_t*);
#ifdef __cplusplus
}
#endif

static void results_and_names(void)
{
    static const char* const states[] = { "CONNECT_TOKEN_EXPIRED", "INVALID_CONNECT_TOKEN", "CONNECTION_TIMED_OUT",
        "CHALLENGE_RESPONSE_TIMED_OUT", "CONNECTION_REQUEST_TIMED_OUT", "CONNECTION_DENIED", "DISCONNECTED",
        "SENDING_CONNECTION_REQUEST", "SENDING_CHALLENGE_RESPONSE", "CONNECTED" };
    static const char* const types[] = { "NONE", "IPV4", "IPV6" };
    static const char* const events[] = { "NEW_CONNECTION", "DISCONNECTED", "PAYLOAD_PACKET" };
    cn_result_t error = cf_result_error("a reason");
    char name[64];
    int i;
    CHECK(cf_is_error(error) && strcmp(error.details, "a reason") == 0);
    CHECK(!cf_is_error(cf_result_success()));
    for (i = 0; i < 10; ++i) {
        sprintf(name, "CF_CLIENT_STATE_%s", states[i]);
        CHECK(strcmp(cf_client_state_to_string(i - 6), name) == 0);
    }
    CHECK(cf_client_state_to_string(-7) == NULL && cf_client_state_to_string(4) == NULL);
    for (i = 0; i < 3; ++i) {
        sprintf(name, "CF_ADDRESS_TYPE_%s", types[i]);
        CHECK(strcmp(cf_address_type_to_string(i), name) == 0);
        sprintf(name, "CF_SERVER_EVENT_TYPE_%s", events[i]);
        CHECK(strcmp(cf_server_event_type_to_string(i), name) == 0);
    }
    CHECK(cf_address_type_to_string(3) == NULL && cf_server_event_type_to_string(3) == NULL);
}

static void tick(cn_client_t* client, cn_server_t* server, int count)
{
    while (count-- > 0) {
        cf_client_update(client, TICK, 0);
        cf_server_update(server, TICK, 0);
    }
}

/* How many updates a message takes to the server. */
static int updates_of_a_message(cn_client_t* client, cn_server_t* server)
{
    int updates;
    CHECK_OK(cf_client_send(client, "x", 1, true));
    for (updates = 1; updates < 200; ++updates) {
        cn_server_event_t event;
        tick(client, server, 1);
        while (cn_server_pop_event(server, &event)) {
            if (event.type != CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET) continue;
            cn_server_free_packet(server, event.u.payload_packet.client_index, event.u.payload_packet.data);
            return updates;
        }
    }
    CHECK(!"the message arrives");
    return 0;
}

static void a_simulated_network_is_slow(void)
{
    cn_server_t* server = cf_make_server_insecure(7);
    cn_client_t* client = cf_make_client(0, 7, false);
    cn_endpoint_t endpoint;
    char address[64];
    CHECK_OK(cf_server_start(server, "127.0.0.1:0"));
    CHECK_OK(cnx_server_bound_endpoint(server, &endpoint));
    cn_endpoint_to_string(endpoint, address, (int)sizeof(address));
    cf_server_set_public_ip(server, "203.0.113.7:40000"); /* one more address that tokens may name */
    CHECK_OK(cf_client_connect_insecure(client, address, 7));
    tick(client, server, 10);
    CHECK(cf_client_state(client) == 3 && cf_server_is_client_connected(server, 0));
    CHECK(updates_of_a_message(client, server) <= 2);
    cf_client_enable_network_simulator(client, 0.2, 0, 0, 0);
    CHECK(updates_of_a_message(client, server) >= 10);
    cf_client_enable_network_simulator(client, 0, 0, 0, 0);
    tick(client, server, 20);
    CHECK(updates_of_a_message(client, server) <= 2);
    cf_server_enable_network_simulator(server, 0.2, 0, 0, 0); /* of what the server sends */
    CHECK(updates_of_a_message(client, server) <= 2);
    cf_destroy_client(client);
    cf_destroy_server(server);
}

static int sent = 0;

static int send_over_wire(void* udata, const void* data, int size)
{
    CHECK(udata == &sent && data != NULL && size > 0);
    ++sent;
    return size;
}

static int receive_from_wire(void* udata, void* data, int size)
{
    CHECK(udata == &sent && data != NULL && size > 0);
    return 0;
}

static void a_wire_carries_what_a_socket_would(void)
{
    cn_client_t* client = cf_make_client(0, 7, false);
    wire_t wire = { &sent, send_over_wire, receive_from_wire }, none = { NULL, NULL, NULL };
    int i;
    cf_client_set_wire(client, wire);
    CHECK_OK(cf_client_connect_insecure(client, "127.0.0.1:1", 7));
    for (i = 0; i < 10; ++i) cf_client_update(client, TICK, 0);
    CHECK(sent > 0);
    cf_client_set_wire(client, none);
    cf_client_set_wire(NULL, wire);
    sent = 0;
    CHECK_OK(cf_client_connect_insecure(client, "127.0.0.1:1", 7));
    for (i = 0; i < 10; ++i) cf_client_update(client, TICK, 0);
    CHECK(sent == 0);
    cf_destroy_client(client);
}

int main(void)
{
    use_everything();
    results_and_names();
    a_simulated_network_is_slow();
    a_wire_carries_what_a_socket_would();
    return 0;
}
