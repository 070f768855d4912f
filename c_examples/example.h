/* What server.c and client.c share: their messages, a clock, and Ctrl-C. */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include "cute_net.h"
#include "cute_net_x.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef _WIN32
#include <windows.h>
static double seconds_now(void)
{
    LARGE_INTEGER frequency, count;
    QueryPerformanceFrequency(&frequency);
    QueryPerformanceCounter(&count);
    return (double)count.QuadPart / (double)frequency.QuadPart;
}
static void sleep_seconds(double seconds) { Sleep((DWORD)(seconds * 1000.0)); }
#else
static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}
static void sleep_seconds(double seconds)
{
    struct timespec time;
    time.tv_sec = (time_t)seconds;
    time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
    nanosleep(&time, NULL);
}
#endif

/* Names the game: the same number in tokens, on the server and in the client. */
#define APPLICATION_ID 0x6578616d706c65ull

#define TICK_SECONDS (1.0 / 60.0)
/* Every this many ticks somebody has something to say that must arrive. */
#define RELIABLE_EVERY 15

/* Every message begins with its kind and counts up, so that a missing or misplaced one is noticed. They travel as they
 * lie in memory: a game that runs on machines of other byte orders writes them byte by byte. */
typedef enum kind_t
{
    KIND_INPUT = 1,    /* client to server, unreliable: what the player presses */
    KIND_CHAT = 2,     /* client to server, reliable */
    KIND_LEAVING = 3,  /* client to server, reliable: send me nothing more */
    KIND_SNAPSHOT = 4, /* server to client, unreliable: where everything is */
    KIND_EVENT = 5     /* server to client, reliable */
} kind_t;

typedef struct message_t
{
    uint32_t kind;
    uint32_t number;
    uint8_t content[192];
} message_t;

/* What one end of a connection has seen. */
typedef struct tally_t
{
    unsigned reliable_sent, reliable_received;
    unsigned unreliable_sent, unreliable_received;
    unsigned order_violations;
    double rtt_ms, loss;
} tally_t;

static message_t make_message(kind_t kind, unsigned number)
{
    message_t message;
    memset(&message, 0, sizeof(message));
    message.kind = (uint32_t)kind;
    message.number = number;
    return message;
}

/* Notes a reliable message: each must be the one after the last. */
static void count_reliable(tally_t* tally, const message_t* message)
{
    if (message->number != tally->reliable_received) ++tally->order_violations;
    ++tally->reliable_received;
}

static void print_tally(const char* who, uint64_t client_id, const tally_t* tally)
{
    printf("result: %s=%llu reliable_sent=%u reliable_received=%u unreliable_sent=%u unreliable_received=%u "
           "order_violations=%u rtt_ms=%.1f loss=%.3f\n",
        who, (unsigned long long)client_id, tally->reliable_sent, tally->reliable_received, tally->unreliable_sent,
        tally->unreliable_received, tally->order_violations, tally->rtt_ms, tally->loss);
    fflush(stdout);
}

static volatile sig_atomic_t interrupted = 0;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

static void stop_on_ctrl_c(void)
{
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
}

/* Why a connection ended. */
static const char* reason_text(const cnx_disconnection_t* end)
{
    switch (end->reason) {
    case CNX_DISCONNECT_LEFT: return "the client left";
    case CNX_DISCONNECT_KICKED: return "the server sent the client away";
    case CNX_DISCONNECT_TIMED_OUT: return "nothing was heard any more";
    case CNX_DISCONNECT_SERVER_STOPPED: return "the server stopped";
    case CNX_DISCONNECT_REPLACED: return "the same player connected anew";
    case CNX_DISCONNECT_DENIED_FULL: return "the server is full";
    case CNX_DISCONNECT_DENIED_TOKEN_USED: return "the token was used before";
    case CNX_DISCONNECT_DENIED_ADDRESS: return "the token is for another address";
    default: return "another reason";
    }
}

static void die(const char* what, cn_result_t result)
{
    fprintf(stderr, "%s: %s\n", what, result.details);
    exit(1);
}

/* The value of "--name value" among the arguments, or `otherwise`. */
static const char* option(int argc, char** argv, const char* name, const char* otherwise)
{
    int i;
    for (i = 1; i + 1 < argc; ++i)
        if (strcmp(argv[i], name) == 0) return argv[i + 1];
    return otherwise;
}

#endif
