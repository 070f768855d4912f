/* A crowd on real sockets: the server in one process, its clients in another, each on a core of its own, 20 ticks a
 * second. Every client sends 20 bytes a tick; the server acknowledges, and sends nothing else.
 * usage: crowd CLIENTS SECONDS [bare]
 * With "bare" the same datagrams travel over sockets alone, read and sent in batches: one answer to three.
 * Prints the processor time of the server's updates, and the memory that a client takes of its process. Linux. */
#define _GNU_SOURCE
#include "cute_net.h"
#include "cute_net_x.h"
#include <arpa/inet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HZ 20
#define PHASES 10 /* clients act in so many groups, spread over a tick */
#define INPUT 20
#define PACKET 46 /* bytes of a datagram with an input, as the library sends it */
#define ANSWER 28 /* bytes of one with an acknowledgement */
#define BATCH 64

typedef struct shared_t { volatile int connected, done; volatile long answers; uint8_t tokens[][CN_CONNECT_TOKEN_SIZE]; } shared_t;

static const char* at = "127.0.0.1:41236";
static double seconds(clockid_t clock) { struct timespec t; clock_gettime(clock, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
static void pin(int core) { cpu_set_t set; CPU_ZERO(&set); CPU_SET(core, &set); sched_setaffinity(0, sizeof(set), &set); }
static void until(double moment) { double left = moment - seconds(CLOCK_MONOTONIC); if (left > 0) usleep((useconds_t)(left * 1e6)); }
static int rising(const void* a, const void* b) { double x = *(const double*)a, y = *(const double*)b; return (x > y) - (x < y); }
static long resident_kb(void) { long all, resident = 0; FILE* file = fopen("/proc/self/statm", "r"); if (fscanf(file, "%ld %ld", &all, &resident) != 2) resident = 0; fclose(file); return resident * 4; }

static void play(shared_t* shared, int count)
{
    cn_client_t** clients = (cn_client_t**)calloc((size_t)count, sizeof(*clients));
    uint8_t input[INPUT] = {0};
    double next = seconds(CLOCK_MONOTONIC);
    int tick, i;
    for (tick = 0; !shared->done; ++tick) {
        int connected = 0;
        long answers = 0;
        for (i = 0; i < count; ++i) {
            if (i % (count / PHASES + 1) == 0) until(next += 1.0 / HZ / PHASES);
            if (!clients[i]) { /* They come over three seconds. */
                if (tick * count < 3 * HZ * i) continue;
                clients[i] = cn_client_create(0, 77, false, NULL);
                if (cn_is_error(cn_client_connect(clients[i], shared->tokens[i]))) { printf("client %d\n", i); exit(1); }
            }
            cn_client_update(clients[i], 1.0 / HZ, (uint64_t)time(NULL));
            if (cn_client_state_get(clients[i]) == CN_CLIENT_STATE_CONNECTED) {
                cnx_counters_t counters;
                counters.size = sizeof(counters);
                cn_client_send(clients[i], input, INPUT, false);
                cnx_client_counters(clients[i], &counters);
                answers += (long)counters.received;
                connected++;
            }
        }
        shared->connected = connected;
        shared->answers = answers;
    }
}

static void play_bare(shared_t* shared, int count)
{
    struct sockaddr_in to = {0};
    int* sockets = (int*)calloc((size_t)count, sizeof(int));
    uint8_t bytes[2048] = {0};
    double next = seconds(CLOCK_MONOTONIC);
    int i;
    to.sin_family = AF_INET; to.sin_port = htons(41236); to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (i = 0; i < count; ++i) sockets[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    while (!shared->done) {
        for (i = 0; i < count; ++i) {
            if (i % (count / PHASES + 1) == 0) until(next += 1.0 / HZ / PHASES);
            while (recv(sockets[i], bytes, sizeof(bytes), 0) >= 0) shared->answers++;
            sendto(sockets[i], bytes, PACKET, 0, (struct sockaddr*)&to, sizeof(to));
        }
        shared->connected = count;
    }
}

/* An update over a socket alone; says how much it read. */
static int update_bare(int server)
{
    static uint8_t bytes[BATCH][2048];
    static struct sockaddr_in from[BATCH], to[BATCH];
    static int turn[65536];
    static struct mmsghdr in[BATCH], out[BATCH];
    static struct iovec into[BATCH], answer[BATCH];
    int read = 0, got, i;
    do {
        int answers = 0;
        for (i = 0; i < BATCH; ++i) {
            into[i].iov_base = bytes[i]; into[i].iov_len = sizeof(bytes[i]);
            in[i].msg_hdr.msg_name = &from[i]; in[i].msg_hdr.msg_namelen = sizeof(from[i]); in[i].msg_hdr.msg_iov = &into[i]; in[i].msg_hdr.msg_iovlen = 1;
        }
        got = recvmmsg(server, in, BATCH, MSG_DONTWAIT, NULL);
        for (i = 0; i < got; ++i) {
            if ((turn[from[i].sin_port]++ + ntohs(from[i].sin_port)) % 3 != 0) continue; /* not all in the same tick */
            to[answers] = from[i];
            answer[answers].iov_base = bytes[i]; answer[answers].iov_len = ANSWER;
            out[answers].msg_hdr.msg_name = &to[answers]; out[answers].msg_hdr.msg_namelen = sizeof(to[answers]); out[answers].msg_hdr.msg_iov = &answer[answers]; out[answers].msg_hdr.msg_iovlen = 1;
            answers++;
        }
        if (answers > 0 && sendmmsg(server, out, (unsigned)answers, 0) < 0) perror("sendmmsg");
        if (got > 0) read += got;
    } while (got == BATCH);
    return read;
}

int main(int argc, char** argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 2000, ticks = HZ * (argc > 2 ? atoi(argv[2]) : 10), bare = argc > 3;
    size_t size = sizeof(shared_t) + (size_t)count * CN_CONNECT_TOKEN_SIZE;
    shared_t* shared = (shared_t*)mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cn_server_config_t config = cn_server_config_defaults();
    cn_server_t* server = NULL;
    cn_server_event_t event;
    double* each = (double*)calloc((size_t)ticks, sizeof(*each));
    double next, sum = 0;
    long before, after, packets = 0, answers;
    int i, socket_of_bare = -1, receive_buffer = 4 << 20, tick = 0, warm = 2 * HZ;
    pid_t players;
    config.application_id = 77;
    cn_crypto_sign_keygen(&config.public_key, &config.secret_key);
    for (i = 0; i < count && !bare; ++i) {
        cn_crypto_key_t up = cn_crypto_generate_key(), down = cn_crypto_generate_key();
        uint64_t now = (uint64_t)time(NULL);
        cn_generate_connect_token(77, now, &up, &down, now + 600, 5, 1, &at, (uint64_t)i + 1, NULL, &config.secret_key, shared->tokens[i]);
    }
    players = fork();
    if (players == 0) {
        pin(1);
        if (bare) play_bare(shared, count); else play(shared, count);
        _exit(0);
    }
    pin(0);
    if (bare) {
        struct sockaddr_in address = {0};
        address.sin_family = AF_INET; address.sin_port = htons(41236); address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socket_of_bare = socket(AF_INET, SOCK_DGRAM, 0);
        setsockopt(socket_of_bare, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
        if (bind(socket_of_bare, (struct sockaddr*)&address, sizeof(address))) { perror("bind"); return 1; }
    } else {
        server = cnx_server_create(config, count);
        if (cn_is_error(cn_server_start(server, at))) { puts("start"); return 1; }
    }
    before = resident_kb();
    answers = 0;
    next = seconds(CLOCK_MONOTONIC);
    for (i = 0; tick < ticks && i < 60 * HZ; ++i) {
        double begun;
        int read = 0;
        until(next += 1.0 / HZ);
        begun = seconds(CLOCK_THREAD_CPUTIME_ID);
        if (bare) {
            read = update_bare(socket_of_bare);
        } else {
            cn_server_update(server, 1.0 / HZ, (uint64_t)time(NULL));
            while (cn_server_pop_event(server, &event)) {
                if (event.type == CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET) { read++; cn_server_free_packet(server, event.u.payload_packet.client_index, event.u.payload_packet.data); }
                if (event.type == CN_SERVER_EVENT_TYPE_DISCONNECTED) { printf("client %d is gone\n", event.u.disconnected.client_index); return 1; }
            }
        }
        begun = seconds(CLOCK_THREAD_CPUTIME_ID) - begun;
        if (shared->connected < count || warm-- > 0) { answers = shared->answers; continue; }
        each[tick++] = begun;
        sum += begun;
        packets += read;
    }
    answers = shared->answers - answers;
    after = resident_kb();
    shared->done = 1;
    waitpid(players, NULL, 0);
    if (tick < ticks) { printf("only %d of %d clients connected\n", shared->connected, count); return 1; }
    qsort(each, (size_t)ticks, sizeof(*each), rising);
    printf("%s clients=%d | updates: median %.1f us, 99 %% %.1f us, %.3f us a datagram read | read %ld answers %ld | %.2f KiB a client\n",
        bare ? "bare" : "cute_net", count, each[ticks / 2] * 1e6, each[ticks * 99 / 100] * 1e6, sum / (double)packets * 1e6, packets, answers,
        (double)(after - before) / count);
    if (server) cn_server_destroy(server);
    return 0;
}
