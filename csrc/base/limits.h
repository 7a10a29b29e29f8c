/*
** Bounds that hold everywhere. What a user may change is an option and has
** its default here too, so that the reference and the code cannot disagree.
*/
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define BASE_KIB 1024u
#define BASE_MIB (1024u * BASE_KIB)

/* Defaults of options; sizes in bytes, times in milliseconds. */
#define LIMIT_MESSAGE_BYTES (16u * BASE_MIB)
#define LIMIT_BUFFERED_BYTES (64u * BASE_MIB)
#define LIMIT_HIGH_WATER_BYTES (1u * BASE_MIB)
#define LIMIT_LOW_WATER_BYTES (256u * BASE_KIB)
#define LIMIT_HEADER_BYTES (16u * BASE_KIB)
#define LIMIT_OPEN_TIMEOUT_MS 10000u
#define LIMIT_CLOSE_TIMEOUT_MS 5000u
#define LIMIT_PING_INTERVAL_MS 20000u
#define LIMIT_PING_TIMEOUT_MS 20000u
#define LIMIT_CHAIN_DEPTH 10u
#define LIMIT_UPGRADE_TIMEOUT_MS 10000u
#define LIMIT_BACKLOG 511u
#define LIMIT_DEFLATE_BYTES 256u /* smaller messages go as they are */
#define LIMIT_TOPICS 1024u /* of one connection */

/* Fixed ones. */
#define LIMIT_URL_BYTES (8u * BASE_KIB)
#define LIMIT_HEADER_FIELDS 128u
#define LIMIT_PROXY_HEAD_BYTES (8u * BASE_KIB)
#define LIMIT_ADDRESSES 32u          /* tried for one name */
#define LIMIT_ATTEMPT_DELAY_MS 250u  /* RFC 8305, 5 */
#define LIMIT_RESOLUTION_DELAY_MS 50u /* RFC 8305, 3 */

/* One pass of the loop over one connection. */
#define LIMIT_READ_BYTES (64u * BASE_KIB)  /* shared read buffer */
#define LIMIT_PLAIN_BYTES (64u * BASE_KIB) /* shared buffer of plaintext */
#define LIMIT_TLS_RECORD_BYTES 16384u
#define LIMIT_OUT_BYTES (640u * BASE_KIB)  /* one connection's output */

#endif
