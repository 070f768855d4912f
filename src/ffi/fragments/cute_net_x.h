/// The version of this header; `cnx_version` tells that of the library.
#define CNX_VERSION "@VERSION@"

/// When messages leave.
typedef enum cnx_send_mode_t
{
    CNX_SEND_IMMEDIATE = 0, /* an unreliable packet inside the call, a reliable one at the next update */
    CNX_SEND_BATCHED   = 1, /* at the next flush, update, disconnect or stop, whichever is first */
    CNX_SEND_THREADED  = 2  /* the same, and a thread of the library makes a server's system calls */
} cnx_send_mode_t;

/// How a message of `cnx_client_send_with` and `cnx_server_send_with` is delivered.
typedef enum cnx_delivery_t
{
    CNX_DELIVERY_RELIABLE_ORDERED     = 0, /* once, complete, after every earlier such message of its channel */
    CNX_DELIVERY_RELIABLE_UNORDERED   = 1, /* once and complete, as soon as it is there */
    CNX_DELIVERY_UNRELIABLE           = 2, /* perhaps; a later one may come first */
    CNX_DELIVERY_UNRELIABLE_SEQUENCED = 3  /* perhaps, and never after a later such message of its channel */
} cnx_delivery_t;

/// Why a connection ended, or did not come about: what `cnx_disconnection_t::reason` says. 16 to 255 are the
/// program's own.
typedef enum cnx_disconnect_reason_t
{
    CNX_DISCONNECT_LEFT              = 0,   /* the client's program left */
    CNX_DISCONNECT_KICKED            = 1,   /* the server's program sent the client away */
    CNX_DISCONNECT_TIMED_OUT         = 2,   /* one end heard nothing of the other for too long */
    CNX_DISCONNECT_SERVER_STOPPED    = 3,   /* the server stopped */
    CNX_DISCONNECT_REPLACED          = 4,   /* the same client id connected anew, with a newer token */
    CNX_DISCONNECT_PROTOCOL_ERROR    = 5,   /* one end sent what no end may send */
    CNX_DISCONNECT_FIRST_OF_PROGRAM  = 16,
    CNX_DISCONNECT_LAST_OF_PROGRAM   = 255,
    CNX_DISCONNECT_DENIED_FULL       = 256, /* the server has no room for another client */
    CNX_DISCONNECT_DENIED_TOKEN_USED = 257, /* the token made a connection before */
    CNX_DISCONNECT_DENIED_STOPPING   = 258, /* the server is stopping */
    CNX_DISCONNECT_DENIED_EXPIRED    = 261, /* the token expired before a server let the client in */
    CNX_DISCONNECT_DENIED_ADDRESS    = 262, /* the token lists none of the server's addresses */
    CNX_DISCONNECT_DENIED_IN_USE     = 263  /* the token belongs to a connection that lives */
} cnx_disconnect_reason_t;

/// How much a log message matters.
typedef enum cnx_log_level_t
{
    CNX_LOG_ERROR   = 1, /* something does not work */
    CNX_LOG_WARNING = 2, /* something will not work as asked */
    CNX_LOG_INFO    = 3, /* something happened that happens rarely */
    CNX_LOG_DEBUG   = 4  /* everything else, among it every datagram dropped */
} cnx_log_level_t;
