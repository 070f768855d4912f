#ifdef __cplusplus
#    define CN_INLINE inline
#else
#    define CN_INLINE static inline
#endif

/// Bytes of a connect token.
#define CN_CONNECT_TOKEN_SIZE 1114
/// Bytes of the program's own that a connect token carries.
#define CN_CONNECT_TOKEN_USER_DATA_SIZE 256

/// Clients that a server of `cn_server_create` has room for, 1 to 65535. A program that wants another
/// number defines it before it includes this header, in every file that calls `cn_server_create`.
#ifndef CN_SERVER_MAX_CLIENTS
#    define CN_SERVER_MAX_CLIENTS 32
#    define CNX_SERVER_MAX_CLIENTS_UNSET
#endif

#define CN_ERROR_SUCCESS (0)
#define CN_ERROR_FAILURE (-1)

/// Leaves the calling function with the result of `x` if that is an error.
#define CN_RETURN_IF_ERROR(x) \
    do { cn_result_t cnx_result_ = (x); if (cn_is_error(cnx_result_)) return cnx_result_; } while (0)

/// What an endpoint holds.
typedef enum cn_address_type_t
{
    CN_ADDRESS_TYPE_NONE = 0, /* no address */
    CN_ADDRESS_TYPE_IPV4 = 1, /* `u.ipv4` */
#ifndef CUTE_NET_NO_IPV6
    CN_ADDRESS_TYPE_IPV6 = 2  /* `u.ipv6` */
#endif
} cn_address_type_t;

/// An address and a port. A program that defines `CUTE_NET_NO_IPV6` sees IPv4 alone, and has IPv6
/// addresses refused where it passes one; the layout stays the same.
typedef struct cn_endpoint_t
{
    cn_address_type_t type;
    uint16_t port;            /* host byte order */
    union
    {
        uint8_t ipv4[4];  /* as written: 127.0.0.1 is { 127, 0, 0, 1 } */
#ifndef CUTE_NET_NO_IPV6
        uint16_t ipv6[8]; /* the groups as written, each in host byte order */
#else
        uint16_t cnx_reserved[8];
#endif
    } u;
} cn_endpoint_t;

/// Where a client stands.
typedef enum cn_client_state_t
{
    CN_CLIENT_STATE_CONNECT_TOKEN_EXPIRED        = -6, /* the token expired before a server let the client in */
    CN_CLIENT_STATE_INVALID_CONNECT_TOKEN        = -5, /* the token given to cn_client_connect can't be used */
    CN_CLIENT_STATE_CONNECTION_TIMED_OUT         = -4, /* nothing was heard from the server for its timeout */
    CN_CLIENT_STATE_CHALLENGE_RESPONSE_TIMED_OUT = -3, /* the last server stopped answering half-way */
    CN_CLIENT_STATE_CONNECTION_REQUEST_TIMED_OUT = -2, /* the last server did not answer */
    CN_CLIENT_STATE_CONNECTION_DENIED            = -1, /* the last server refused the client, e.g. it is full */
    CN_CLIENT_STATE_DISCONNECTED                 = 0,  /* not connected, and nothing went wrong */
    CN_CLIENT_STATE_SENDING_CONNECTION_REQUEST   = 1,  /* asking a server */
    CN_CLIENT_STATE_SENDING_CHALLENGE_RESPONSE   = 2,  /* answering its challenge */
    CN_CLIENT_STATE_CONNECTED                    = 3   /* connected: packets can be sent */
} cn_client_state_t;

/// What a server event tells.
typedef enum cn_server_event_type_t
{
    CN_SERVER_EVENT_TYPE_NEW_CONNECTION = 0, /* `u.new_connection` */
    CN_SERVER_EVENT_TYPE_DISCONNECTED   = 1, /* `u.disconnected` */
    CN_SERVER_EVENT_TYPE_PAYLOAD_PACKET = 2  /* `u.payload_packet` */
} cn_server_event_type_t;

/// Something that happened to a client.
typedef struct cn_server_event_t
{
    cn_server_event_type_t type;
    union
    {
        /* A client connected; packets can be sent to it. */
        struct
        {
            int client_index;       /* its slot: nobody else's until its disconnection is popped */
            uint64_t client_id;     /* the client id of its token */
            cn_endpoint_t endpoint; /* where it is */
        } new_connection;

        /* A client is gone; from now on its slot may have another. */
        struct
        {
            int client_index;
        } disconnected;

        /* A packet of a client came. */
        struct
        {
            int client_index;
            void* data;             /* give it back to cn_server_free_packet */
            int size;               /* bytes of `data`, at least 1 */
        } payload_packet;
    } u;
} cn_server_event_t;
