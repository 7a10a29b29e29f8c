/*
** A small WebSocket server in a process of its own, so that nothing of it is
** counted or made to fail: the other end for the programs in spec/c/oom and
** spec/c/tsan. It ends with the process that started it.
**
** What a connection gets depends on its path:
**   /echo   every message comes back
**   /once   one message comes back, and the connection breaks
**   /bye    one message comes back, and then a close with 1001
**   /sink   nothing is read after the handshake
**   /talk   numbered messages without being asked, and nothing is read
**   /ping   a ping before every echo
**   /503    no upgrade
**   /bad    one frame that breaks the protocol
*/
#ifndef ECHO_H
#define ECHO_H

struct echo {
  int port, tls_port;
  int impostor_port; /* the same with a certificate of nobody we trust */
  char ca[2048];     /* PEM; its certificate is for localhost and 127.0.0.1 */
  /* That certificate and its key, which are good for clients too. */
  char cert[2048], key[512];
};

/* Call it first of all, before threads and before OpenSSL is touched. Ends the
** program if that fails. */
void echo_start(struct echo *e);

#endif
