/* What a token packet that opens nothing costs a server: datagrams of the right form with forged contents.
 * usage: bogus_token DATAGRAMS [1]     (1: the server's key pair and the datagrams are of CUTE 1.00)
 * Prints the thread CPU time spent inside cn_server_update, per datagram. */
#define _GNU_SOURCE
#include "cute_net.h"
#include "cute_net_x.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 32, REQUEST = 1040, TOKEN_PACKET = 1024, REST = 90, SECRET = 568, PORT = 41238 };

static double cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char** argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 32000, old = argc > 2 && atoi(argv[2]) == 1, sent, i;
    uint64_t now = (uint64_t)time(NULL);
    const char* address = "127.0.0.1:41238";
    uint8_t token[CN_CONNECT_TOKEN_SIZE], datagram[REQUEST];
    double cpu = 0.0, empty = 0.0, begin;
    cnx_counters_t counters;
    cn_crypto_key_t up = cn_crypto_generate_key(), down = cn_crypto_generate_key();
    cn_server_config_t config = cn_server_config_defaults();
    cn_server_t* server;
    int from = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (old) cnx_crypto_sign_keygen_1_00(&config.public_key, &config.secret_key);
    else cn_crypto_sign_keygen(&config.public_key, &config.secret_key);
    config.application_id = 77;
    server = cn_server_create(config);
    cnx_server_set_max_clients(server, 65535);
    if (cn_is_error(cn_server_start(server, address))) return 1;
    if (cn_is_error(cn_generate_connect_token(77, now, &up, &down, now + 600, 5, 1, &address, 1, NULL,
            &config.secret_key, token)))
        return 1;
    memset(datagram, 0, sizeof(datagram));
    memcpy(datagram, token + REST, TOKEN_PACKET);
    for (sent = 0; sent < count; sent += BATCH) {
        for (i = 0; i < BATCH; ++i) {
            uint32_t number = (uint32_t)(sent + i);
            memcpy(datagram + SECRET, &number, sizeof(number)); /* no two are the same, and none opens */
            sendto(from, datagram, old ? TOKEN_PACKET : REQUEST, 0, (struct sockaddr*)&to, sizeof(to));
        }
        begin = cpu_now();
        cn_server_update(server, 1.0 / 60.0, now);
        cpu += cpu_now() - begin;
        begin = cpu_now();
        cn_server_update(server, 1.0 / 60.0, now);
        empty += cpu_now() - begin;
    }
    memset(&counters, 0, sizeof(counters));
    counters.size = sizeof(counters);
    if (cn_is_error(cnx_server_counters(server, &counters))) return 1;
    /* Tokens of CUTE 1.00 do not name their key. */
    printf("bogus tokens: %.3f us each (%llu opened nothing of %d sent)\n", (cpu - empty) / sent * 1e6,
        (unsigned long long)(counters.forged + counters.key_unknown), sent);
    cn_server_destroy(server);
    return 0;
}
