/*
 * A program held before each of its system calls that change a filesystem, in whichever of its threads. Compiled by Bun's own compiler
 * (bun:ffi, cc) without headers, so what is needed of them stands here: x86-64 Linux.
 */

int fork(void);
int execve(const char *, char *const *, char *const *);
int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long);
long ptrace(long, int, void *, void *);
int waitpid(int, int *, int);
int kill(int, int);
int raise(int);
int dup2(int, int);
void _exit(int);

enum { TRACEME = 0, POKEUSER = 6, CONT = 7, GETREGS = 12, SETOPTIONS = 0x4200 };
/* fork, vfork, clone, seccomp; the program dies with its tracer */
enum { OPTIONS = 2 | 4 | 8 | 0x80 | 0x100000 };
enum { EVENT_SECCOMP = 7, SIGKILL = 9, SIGTRAP = 5, SIGSTOP = 19, WALL = 0x40000000, WNOTHREAD = 0x20000000 };

struct filter { unsigned short code; unsigned char yes, no; unsigned value; };
struct filters { unsigned short length; struct filter *list; };

static int leader, stopped, pending;

/* @param numbers of the system calls that stop it @return its process number */
int trace_start(char **argv, char **envp, int input, int output, const int *numbers, int count) {
	struct filter list[3 + 64];
	struct filters program = { 0, list };
	int status, at;
	list[0] = (struct filter){ 0x20, 0, 0, 0 }; /* load the number */
	for (at = 0; at < count && at < 64; at++) list[1 + at] = (struct filter){ 0x15, (unsigned char)(count - at), 0, (unsigned)numbers[at] };
	list[1 + count] = (struct filter){ 0x06, 0, 0, 0x7fff0000 }; /* allow */
	list[2 + count] = (struct filter){ 0x06, 0, 0, 0x7ff00000 }; /* tell the tracer */
	program.length = (unsigned short)(3 + count);
	leader = fork();
	if (leader == 0) {
		dup2(input, 0);
		dup2(output, 1);
		dup2(output, 2);
		if (ptrace(TRACEME, 0, 0, 0) != 0 || prctl(38, 1, 0, 0, 0) != 0) _exit(125);
		raise(SIGSTOP);
		if (prctl(22, 2, (unsigned long)&program, 0, 0) != 0) _exit(125);
		execve(argv[0], argv, envp);
		_exit(125);
	}
	if (leader < 0 || waitpid(leader, &status, WALL) != leader) return -1;
	if (ptrace(SETOPTIONS, leader, 0, (void *)OPTIONS) != 0) return -1;
	stopped = leader;
	pending = 0;
	return leader;
}

/*
 * Lets it go on to its next call. @param regs gets its 27 registers, as struct user_regs_struct has them
 * @return the thread that is stopped before the call; 0 when the program has ended, its wait status in regs[0]
 */
int trace_next(unsigned long *regs) {
	int status, pid;
	if (stopped != 0) ptrace(CONT, stopped, 0, (void *)(long)pending);
	for (;;) {
		pid = waitpid(-1, &status, WALL | WNOTHREAD);
		if (pid < 0) return -1;
		if ((status & 0x7f) != 0x7f) {
			if (pid != leader) continue;
			stopped = 0;
			regs[0] = (unsigned long)status;
			return 0;
		}
		pending = (status >> 8) & 0xff;
		if (status >> 8 == (SIGTRAP | EVENT_SECCOMP << 8)) {
			stopped = pid;
			pending = 0;
			ptrace(GETREGS, pid, 0, regs);
			return pid;
		}
		/* a new thread, what tells of one, or the stop that each begins with */
		if (status >> 16 != 0 || pending == SIGSTOP || pending == SIGTRAP) pending = 0;
		ptrace(CONT, pid, 0, (void *)(long)pending);
	}
}

/* The call at which it is stopped fails as one that this kernel does not have (ENOSYS). */
void trace_refuse(void) {
	ptrace(POKEUSER, stopped, (void *)(15 * 8), (void *)-1L);
}

/* Kills it before the call at which it is stopped. @return its wait status */
int trace_kill(void) {
	int status, pid, last = 0;
	kill(leader, SIGKILL);
	for (;;) {
		pid = waitpid(-1, &status, WALL | WNOTHREAD);
		if (pid < 0) return last;
		if (pid == leader && (status & 0x7f) != 0x7f) {
			last = status;
			stopped = 0;
			return last;
		}
		/* killed threads may still stop once, at their exit */
		if ((status & 0x7f) == 0x7f) ptrace(CONT, pid, 0, 0);
	}
}
