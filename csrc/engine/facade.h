/*
** What the engine hands through unchanged from the floors below it: plain
** data and its helpers, so that the binding need not know those floors.
*/
#ifndef ENGINE_FACADE_H
#define ENGINE_FACADE_H

#include "net/dial.h"      /* struct net_proxy and its parser */
#include "net/document.h"  /* the command's, and the next two */
#include "net/input.h"
#include "net/signal.h"
#include "net/timer.h"
#include "tls/context.h"   /* options in, context out */
#include "tls/issue.h"     /* the command's */
#include "tls/peer.h"      /* what ws.tls shows */
#include "ws/deflate.h"    /* its version */
#include "ws/handshake.h"  /* requests, answers, and what may be sent */
#include "ws/protocol.h"   /* which close codes may be sent */
#include "ws/url.h"
#include "ws/utf8.h"

#endif
