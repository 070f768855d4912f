/* A server and four clients exchange reliable and unreliable packets, both ways, in both send modes. D13: valgrind and
   the sanitizers find nothing to say of it. */
#include "check.h"

enum { CLIENTS = 4, ROUNDS = 120 };

static int reliable_got[CLIENTS];
static int unreliable_got[CLIENTS];
static int server_got[CLIENTS];

static void play(cnx_send_mode_t mode)
{
    session_t session;
    cn_client_t* clients[CLIENTS];
    int round, i;
    session_start(&session);
    cnx_server_set_send_mode(session.server, mode);
    for (i = 0; i < CLIENTS; ++i) {
        clients[i] = cn_client_create(0, APPLICATION_ID, false, NULL);
        cnx_client_set_send_mode(clients[i], mode);
        session_connect(&session, clients[i], 0xFFFFFFFF00000000ull + (uint64_t)i);
        reliable_got[i] = unreliable_got[i] = server_got[i] = 0;
    }
    CHECK(session.connected == CLIENTS);
    CHECK(cnx_server_client_count(session.server) == CLIENTS);

    for (round = 0; round < ROUNDS + 30; ++round) {
        cn_server_event_t event;
        for (i = 0; i < CLIENTS; ++i) {
            void* packet;
            int size;
            bool reliably;
            if (round < ROUNDS) {
                int message[2];
                message[0] = i;
                message[1] = round;
                CHECK_OK(cn_client_send(clients[i], message, (int)sizeof(message), true));
                CHECK_OK(cn_client_send(clients[i], "unreliable", 11, false));
                cnx_client_flush(clients[i]);
            }
            cn_client_update(clients[i], TICK, unix_now());
            while (cn_client_pop_packet(clients[i], &packet, &size, &reliably)) {
                if (reliably) {
                    CHECK(size == (int)sizeof(int));
                    CHECK(((size_t)packet & 7) == 0);
                    CHECK(*(int*)packet == reliable_got[i]);
                    ++reliable_got[i];
                } else {
                    CHECK(size == 1100);
                    ++unreliable_got[i];
                }
                cn_client_free_packet(clients[i], packet);
            }
            CHECK(packet == NULL && size == 0 && !reliably);
        }
        cn_server_update(session.server, TICK, unix_now());
        while (cn_server_pop_event(session.server, &event)) {
            int index;
            CHECK(event.type == CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET);
            index = event.u.payload_packet.client_index;
            if (event.u.payload_packet.size == 8) {
                const int* message = (const int*)event.u.payload_packet.data;
                CHECK(message[0] == index && message[1] == server_got[index]);
                ++server_got[index];
            } else {
                CHECK(event.u.payload_packet.size == 11);
            }
            cn_server_free_packet(session.server, index, event.u.payload_packet.data);
        }
        if (round < ROUNDS) {
            static const uint8_t unreliable[1100] = { 0 };
            for (i = 0; i < CLIENTS; ++i) {
                CHECK_OK(cn_server_send(session.server, &round, (int)sizeof(round), i, true));
                CHECK_OK(cn_server_send(session.server, unreliable, (int)sizeof(unreliable), i, false));
            }
            cnx_server_flush(session.server);
        }
    }
    for (i = 0; i < CLIENTS; ++i) {
        CHECK(reliable_got[i] == ROUNDS);
        CHECK(unreliable_got[i] == ROUNDS);
        CHECK(server_got[i] == ROUNDS);
        CHECK(cn_client_get_packet_loss_estimate(clients[i]) == 0.0f);
        CHECK(cn_client_get_rtt_estimate(clients[i]) < 100.0f);
        CHECK(cn_client_get_incoming_kbps_estimate(clients[i]) > cn_client_get_outgoing_kbps_estimate(clients[i]));
        CHECK(cn_server_get_outgoing_kbps_estimate(session.server, i) > cn_server_get_incoming_kbps_estimate(session.server, i));
        CHECK(cn_server_get_rtt_estimate(session.server, i) < 100.0f);
        CHECK(cn_server_get_packet_loss_estimate(session.server, i) == 0.0f);
    }
    for (i = 0; i < CLIENTS; ++i) {
        cn_client_disconnect(clients[i]);
        CHECK(cn_client_state_get(clients[i]) == CN_CLIENT_STATE_DISCONNECTED);
        cn_client_destroy(clients[i]);
    }
    session_tick(&session, NULL, 0, TICK);
    CHECK(session.disconnected == CLIENTS);
    cn_server_destroy(session.server);
}

int main(void)
{
    use_everything();
    play(CNX_SEND_IMMEDIATE);
    play(CNX_SEND_BATCHED);
    return 0;
}
