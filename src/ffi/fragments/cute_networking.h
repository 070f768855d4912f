/* CF's own headers where they are, and what of them is needed here where they are not. */
#if defined(__has_include)
#    if __has_include("cute_defines.h") && __has_include("cute_result.h")
#        include "cute_defines.h"
#        include "cute_result.h"
#    endif
#endif

#ifndef CF_DEFINES_H
#    ifndef CF_API
#        define CF_API
#    endif
#    ifndef CF_CALL
#        define CF_CALL
#    endif
#    ifndef CF_INLINE
#        ifdef __cplusplus
#            define CF_INLINE inline
#        else
#            define CF_INLINE static inline
#        endif
#    endif
#    ifndef CF_STRINGIZE
#        define CF_STRINGIZE_INTERNAL(...) #__VA_ARGS__
#        define CF_STRINGIZE(...) CF_STRINGIZE_INTERNAL(__VA_ARGS__)
#    endif
#    if defined(__cplusplus) && !defined(CF_NO_CPP) && !defined(CF_CPP)
#        define CF_CPP
#    endif
#endif

#ifndef CF_RESULT_H
#define CF_RESULT_H

enum
{
    CF_RESULT_SUCCESS = 0,
    CF_RESULT_ERROR = -1
};

/// What a call came to. See `cn_result_t`.
typedef struct CF_Result
{
    int code;            /* CF_RESULT_SUCCESS or CF_RESULT_ERROR */
    const char* details; /* on an error, why, in words for people */
} CF_Result;

CF_INLINE bool cf_is_error(CF_Result result) { return result.code == CF_RESULT_ERROR; }
CF_INLINE CF_Result cf_result_error(const char* details) { CF_Result result; result.code = CF_RESULT_ERROR; result.details = details; return result; }
CF_INLINE CF_Result cf_result_success(void) { CF_Result result; result.code = CF_RESULT_SUCCESS; result.details = NULL; return result; }

#ifdef CF_CPP
namespace Cute
{
CF_INLINE bool is_error(CF_Result error) { return cf_is_error(error); }
CF_INLINE CF_Result result_failure(const char* details) { return cf_result_error(details); }
CF_INLINE CF_Result result_success() { return cf_result_success(); }
}
#endif

#endif /* CF_RESULT_H */

typedef struct cn_client_t CF_Client;
typedef struct cn_server_t CF_Server;
typedef struct cn_endpoint_t CF_Address;
typedef enum cn_address_type_t CF_AddressType;

/// Bytes of a connect token.
#define CF_CONNECT_TOKEN_SIZE 1114
/// Bytes of the program's own that a connect token carries.
#define CF_CONNECT_TOKEN_USER_DATA_SIZE 256
/// Clients that a server of `cf_make_server` has room for; `cnx_server_set_max_clients` changes it.
#define CF_SERVER_MAX_CLIENTS 32
/// Channels of messages.
#define CF_NET_MAX_CHANNELS 8
/// Bytes of the largest message.
#define CF_NET_MAX_MSG_SIZE 1048576

#define CF_ADDRESS_TYPE_DEFS       \
    CF_ENUM(ADDRESS_TYPE_NONE, 0) \
    CF_ENUM(ADDRESS_TYPE_IPV4, 1) \
    CF_ENUM(ADDRESS_TYPE_IPV6, 2) \

enum
{
    #define CF_ENUM(K, V) CF_##K = V,
    CF_ADDRESS_TYPE_DEFS
    #undef CF_ENUM
};

/// The name of an address type; NULL for a number that is none.
CF_INLINE const char* cf_address_type_to_string(CF_AddressType type)
{
#ifdef __cplusplus
    switch (static_cast<int>(type)) {
#else
    switch ((int)type) {
#endif
    #define CF_ENUM(K, V) case CF_##K: return CF_STRINGIZE(CF_##K);
    CF_ADDRESS_TYPE_DEFS
    #undef CF_ENUM
    default: return NULL;
    }
}

#define CF_CLIENT_STATE_DEFS                               \
    CF_ENUM(CLIENT_STATE_CONNECT_TOKEN_EXPIRED, -6)        \
    CF_ENUM(CLIENT_STATE_INVALID_CONNECT_TOKEN, -5)        \
    CF_ENUM(CLIENT_STATE_CONNECTION_TIMED_OUT, -4)         \
    CF_ENUM(CLIENT_STATE_CHALLENGE_RESPONSE_TIMED_OUT, -3) \
    CF_ENUM(CLIENT_STATE_CONNECTION_REQUEST_TIMED_OUT, -2) \
    CF_ENUM(CLIENT_STATE_CONNECTION_DENIED, -1)            \
    CF_ENUM(CLIENT_STATE_DISCONNECTED, 0)                  \
    CF_ENUM(CLIENT_STATE_SENDING_CONNECTION_REQUEST, 1)    \
    CF_ENUM(CLIENT_STATE_SENDING_CHALLENGE_RESPONSE, 2)    \
    CF_ENUM(CLIENT_STATE_CONNECTED, 3)                     \

/// Where a client stands. See `cn_client_state_t`.
typedef enum CF_ClientState
{
    #define CF_ENUM(K, V) CF_##K = V,
    CF_CLIENT_STATE_DEFS
    #undef CF_ENUM
} CF_ClientState;

/// The name of a state; NULL for a number that is none.
CF_INLINE const char* cf_client_state_to_string(CF_ClientState state)
{
    switch (state) {
    #define CF_ENUM(K, V) case CF_##K: return CF_STRINGIZE(CF_##K);
    CF_CLIENT_STATE_DEFS
    #undef CF_ENUM
    default: return NULL;
    }
}

#define CF_SERVER_EVENT_TYPE_DEFS                \
    CF_ENUM(SERVER_EVENT_TYPE_NEW_CONNECTION, 0) \
    CF_ENUM(SERVER_EVENT_TYPE_DISCONNECTED, 1)   \
    CF_ENUM(SERVER_EVENT_TYPE_PAYLOAD_PACKET, 2) \

/// What a server event tells. See `cn_server_event_type_t`.
typedef enum CF_ServerEventType
{
    #define CF_ENUM(K, V) CF_##K = V,
    CF_SERVER_EVENT_TYPE_DEFS
    #undef CF_ENUM
} CF_ServerEventType;

/// The name of an event type; NULL for a number that is none.
CF_INLINE const char* cf_server_event_type_to_string(CF_ServerEventType type)
{
    switch (type) {
    #define CF_ENUM(K, V) case CF_##K: return CF_STRINGIZE(CF_##K);
    CF_SERVER_EVENT_TYPE_DEFS
    #undef CF_ENUM
    default: return NULL;
    }
}

/// Something that happened to a client. See `cn_server_event_t`.
typedef struct CF_ServerEvent
{
    CF_ServerEventType type;
    union
    {
        struct
        {
            int client_index;    /* its slot */
            uint64_t client_id;  /* the client id of its token */
            CF_Address endpoint; /* where it is */
        } new_connection;

        struct
        {
            int client_index;
        } disconnected;

        struct
        {
            int client_index;
            void* data;          /* give it back to cf_server_free_packet */
            int size;
        } payload_packet;
    } u;
} CF_ServerEvent;
