#include "config.h"

#include "cli/progress.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/term.h"

static void show(const char *text, pid_t parent)
{
	/* Whoever interrupts oe ends this too. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(0);
	for (unsigned seconds = 1;; seconds++) {
		sleep(1);
		fprintf(stderr, "\r\033[K%s (%u s)", text, seconds);
	}
}

void progress_begin(struct progress *p, const char *text)
{
	pid_t self = getpid();

	p->child = 0;
	if (!term_is(stderr))
		return;
	fflush(NULL);
	p->child = fork();
	if (p->child == 0)
		show(text, self);
	if (p->child < 0)
		p->child = 0;               /* it is only a display */
}

void progress_end(struct progress *p)
{
	if (p->child == 0)
		return;
	(void)kill(p->child, SIGKILL);
	(void)waitpid(p->child, NULL, 0);
	fprintf(stderr, "\r\033[K");
	fflush(stderr);
	p->child = 0;
}
