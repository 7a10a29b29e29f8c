/* The same server: each of these programs has its sources in one folder. */
#include "../oom/echo.c" // NOLINT(bugprone-suspicious-include)
