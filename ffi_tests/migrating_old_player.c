/*
 * A player of the time before the migration, with nothing but the original's functions: connects with the token in a
 * file and says something all the time, until the server sends it away. Compiled against the original, too.
 *
 *     migrating_old_player TOKEN_FILE
 */
#define CUTE_NET_IMPLEMENTATION
#include "cute_net.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char** argv)
{
    uint8_t token[CN_CONNECT_TOKEN_SIZE];
    cn_client_t* client = cn_client_create(0, 42, false, NULL);
    FILE* file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    int tick, connected = 0;
    if (!file || fread(token, sizeof(token), 1, file) != 1) return 1;
    fclose(file);
    if (cn_is_error(cn_client_connect(client, token))) return 1;
    for (tick = 0; tick < 6000 && cn_client_state_get(client) > 0; ++tick) {
        void* packet;
        int size;
        cn_client_update(client, 0.005, (uint64_t)time(NULL));
        if (cn_client_state_get(client) == CN_CLIENT_STATE_CONNECTED) {
            connected = 1;
            if (tick % 4 == 0) cn_client_send(client, "still here", 11, tick % 8 == 0);
            while (cn_client_pop_packet(client, &packet, &size, NULL)) cn_client_free_packet(client, packet);
        }
        usleep(5000);
    }
    if (!connected) return 2;
    tick = cn_client_state_get(client) == CN_CLIENT_STATE_DISCONNECTED ? 0 : 3;
    cn_client_destroy(client);
    return tick;
}
