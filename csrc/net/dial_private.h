/*
** The clock of a dial, for tests to set; otherwise LIMIT_…_DELAY_MS.
*/
#ifndef NET_DIAL_PRIVATE_H
#define NET_DIAL_PRIVATE_H

extern unsigned net_dial_attempt_delay_ms;
extern unsigned net_dial_resolution_delay_ms;

#endif
