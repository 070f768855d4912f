// A program that brings `cf_` functions of its own around ours, as Cute Framework's source does: it links the
// shared library, and a static one that was built without the feature `cf`.
#include "cute_net.h"

#include <stdint.h>
#include <stdio.h>

extern "C" {

typedef struct cn_client_t CF_Client;

static int calls = 0;

CF_Client* cf_make_client(uint16_t port, uint64_t application_id, bool use_ipv6)
{
    ++calls;
    return cn_client_create(port, application_id, use_ipv6, NULL);
}

void cf_client_update(CF_Client* client, double dt, uint64_t current_time)
{
    ++calls;
    cn_client_update(client, dt, current_time);
}

cn_client_state_t cf_client_state_get(const CF_Client* client)
{
    ++calls;
    return cn_client_state_get(client);
}

void cf_destroy_client(CF_Client* client)
{
    ++calls;
    cn_client_destroy(client);
}

}

int main()
{
    CF_Client* client = cf_make_client(0, 7, false);
    cf_client_update(client, 0.1, 0);
    bool disconnected = cf_client_state_get(client) == CN_CLIENT_STATE_DISCONNECTED;
    cf_destroy_client(client);
    return disconnected && calls == 4 ? 0 : 1;
}
