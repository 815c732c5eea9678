// SPDX-License-Identifier: MIT OR Apache-2.0
/* dawn load, confirm, off, unload.
 *
 * `load --confirm N`: before anything is changed, a guard process is split off
 * (a session of its own, so that the terminal's death does not reach it). It
 * is told through a pipe how the load went; if the loader dies before it could
 * tell, the guard undoes what there is. At the deadline it tries to move the
 * record from PENDING to REVERTING; `dawn confirm` moves it from PENDING to
 * DONE. A compare-and-swap decides between the two.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "loader/cli.h"
#include "loader/commands.h"
#include "user/io/clock.h"
#include "user/io/netif.h"
#include "user/io/xdp_load_record.h"

#define ADDRESSES_MAX 64
#define HTTP_GROUP    1 /* one cache for all addresses of the interface */

static const char *const mode_names[] = { "auto", "native", "generic", NULL };

/* ---- the guard of --confirm ---- */

static bool confirm_move(struct dawn_load_record *r, uint32_t to)
{
	uint32_t from = DAWN_CONFIRM_PENDING;

	return __atomic_compare_exchange_n(&r->confirm, &from, to, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* Is it time? Return: 1: revert, 0: later, -1: never (confirmed, unloaded, or
 * loaded anew since). */
static int guard_look(const char *ifname, uint64_t token)
{
	struct dawn_error e;
	struct dawn_xdp x;
	int verdict = -1;

	if (dawn_xdp_open(&x, ifname, &e))
		return -1;
	if (x.record && x.record->confirm_token == token &&
	    __atomic_load_n(&x.record->confirm, __ATOMIC_ACQUIRE) ==
		    DAWN_CONFIRM_PENDING) {
		verdict = 0;
		if (dawn_clock_ns(CLOCK_BOOTTIME) >= x.record->confirm_by_ns)
			verdict = confirm_move(x.record, DAWN_CONFIRM_REVERTING)
					  ? 1
					  : -1;
	}
	dawn_xdp_close(&x);
	return verdict;
}

static void guard(int pipe_fd, const char *ifname, uint64_t token)
{
	const struct timespec nap = { .tv_nsec = 200000000 };
	struct dawn_error e;
	char how = 0;
	ssize_t n;
	int verdict = 0;

	do
		n = read(pipe_fd, &how, 1);
	while (n == -1 && errno == EINTR);
	if (n == 1 && how != 'y')
		_exit(0); /* it failed and has cleaned up itself */
	/* n == 0: the loader died. What it left may be complete or not, or
	 * somebody else's. */
	if (n == 0)
		verdict = dawn_xdp_made_by(ifname, token);
	while (n == 1 && !(verdict = guard_look(ifname, token)))
		nanosleep(&nap, NULL);
	if (verdict == 1)
		dawn_xdp_unload(ifname, &e);
	_exit(0);
}

/* Return: the pipe's end to tell the guard, or negative errno. */
static int guard_start(const char *ifname, uint64_t token)
{
	int ends[2], null;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid == -1) {
		close(ends[0]);
		close(ends[1]);
		return -errno;
	}
	if (pid) {
		close(ends[0]);
		waitpid(pid, NULL, 0);
		return ends[1];
	}
	close(ends[1]);
	setsid();
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd < 3 && null >= 0; fd++)
		dup2(null, fd);
	if (chdir("/"))
		_exit(1);
	if (!fork())
		guard(ends[0], ifname, token);
	_exit(0);
}

static void guard_tell(int fd, bool loaded)
{
	signal(SIGPIPE, SIG_IGN);
	if (fd >= 0 && write(fd, loaded ? "y" : "n", 1) != 1)
		dawn_cli_warn("the process that would revert is gone");
	if (fd >= 0)
		close(fd);
}

/* ---- services ---- */

struct service_ports {
	uint32_t http, hbtp; /* 0: none */
	/* of HTTP: DAWN_SERVICE_ANY_* */
	bool any_cookie, any_authorization, any_cache_control;
};

static int add_one(struct dawn_xdp *x, const struct dawn_addr *addr,
		   uint8_t proto, uint32_t port, enum dawn_service_kind kind,
		   uint8_t flags, struct dawn_error *e)
{
	struct dawn_service_key key = { .addr = *addr,
					.port = htons((uint16_t)port),
					.proto = proto };
	struct dawn_service want = { .kind = (uint8_t)kind,
				     .flags = flags,
				     .group = HTTP_GROUP };
	int id = dawn_xdp_add_service(x, &key, &want, e);

	return id < 0 ? id : 0;
}

static int add_address(struct dawn_xdp *x, const struct dawn_addr *addr,
		       const struct service_ports *p, struct dawn_error *e)
{
	uint8_t echo = dawn_addr_is_v4(addr) ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	int err = add_one(x, addr, echo, 0, DAWN_SERVICE_ECHO, 0, e);

	if (!err && p->http)
		err = add_one(x, addr, IPPROTO_TCP, p->http, DAWN_SERVICE_HTTP,
			      dawn_service_flags(p->any_cookie,
						 p->any_authorization,
						 p->any_cache_control),
			      e);
	if (!err && p->hbtp)
		err = add_one(x, addr, IPPROTO_UDP, p->hbtp, DAWN_SERVICE_HBTP,
			      0, e);
	return err;
}

/* Return: how many addresses, or negative errno. */
static int add_services(struct dawn_xdp *x, const struct service_ports *p,
			struct dawn_error *e)
{
	struct dawn_addr addr[ADDRESSES_MAX];
	int count = dawn_if_addresses(x->ifindex, addr, ADDRESSES_MAX);

	if (count < 0) {
		snprintf(e->text, sizeof(e->text),
			 "cannot list the addresses of %s: %s", x->ifname,
			 strerror(-count));
		return count;
	}
	for (int i = 0; i < count; i++) {
		int err = add_address(x, &addr[i], p, e);

		if (err)
			return err;
	}
	return count;
}

/* ---- load ---- */

struct load_request {
	struct dawn_xdp_options o;
	struct service_ports ports;
};

static void warn_firewall(const char *ifname)
{
	int rules = dawn_firewall_rules();

	if (rules > 0)
		dawn_cli_warn("%d nftables/iptables rule%s in this network "
			      "namespace: XDP runs before them, so they do not "
			      "see what it answers on %s; filter with `dawn "
			      "deny`",
			      rules, rules == 1 ? "" : "s", ifname);
}

static int load_services(struct dawn_xdp *x, const struct load_request *r,
			 struct dawn_error *e)
{
	struct dawn_error ignored;
	int count = add_services(x, &r->ports, e);

	if (count < 0) {
		dawn_xdp_unload(x->ifname, &ignored);
		return count;
	}
	if (!count)
		dawn_cli_warn("%s has no addresses yet: nothing will be "
			      "answered; add some, then unload and load again",
			      x->ifname);
	return count;
}

static int refuse_again(const char *ifname)
{
	return dawn_cli_fail("%s is loaded already, nothing changed (`dawn "
			     "status`; `dawn unload --dev %s` to start over)",
			     ifname, ifname);
}

static int load(const struct load_request *r)
{
	struct dawn_error e;
	struct dawn_xdp x;
	int err = dawn_xdp_load(&x, &r->o, &e);

	if (err)
		return dawn_cli_fail("%s", e.text);
	if (x.adopted) { /* somebody was faster */
		dawn_xdp_close(&x);
		return refuse_again(r->o.ifname);
	}
	err = load_services(&x, r, &e);
	if (err < 0) {
		dawn_xdp_close(&x);
		return dawn_cli_fail("%s", e.text);
	}
	printf("%s: loaded, %s mode (%s), %d address%s, %u flows, %u slots, "
	       "%s\n",
	       x.ifname, mode_names[x.mode], x.mode_why, err,
	       err == 1 ? "" : "es", x.config->flow_sets * DAWN_FLOW_WAYS,
	       x.config->slots,
	       r->o.standalone ? "standalone" : "waiting for dawnd");
	dawn_xdp_close(&x);
	if (r->o.confirm_s)
		printf("reverts in %u s unless: dawn confirm --dev %s\n",
		       r->o.confirm_s, r->o.ifname);
	return fflush(stdout) ? DAWN_EXIT_FAILED : DAWN_EXIT_OK;
}

static int load_guarded(struct load_request *r)
{
	int pipe_fd, status;

	if (getrandom(&r->o.confirm_token, sizeof(r->o.confirm_token), 0) !=
	    sizeof(r->o.confirm_token))
		return dawn_cli_fail("no random number for --confirm");
	pipe_fd = guard_start(r->o.ifname, r->o.confirm_token);
	if (pipe_fd < 0)
		return dawn_cli_fail("cannot start the process that would "
				     "revert: %s",
				     strerror(-pipe_fd));
	status = load(r);
	guard_tell(pipe_fd, status == DAWN_EXIT_OK);
	return status;
}

/* By a load, that is: dawn_xdp_load() has more to say of other cases. */
static bool loaded_already(const char *ifname)
{
	struct dawn_error e;
	struct dawn_xdp x;
	bool ours;

	if (dawn_xdp_open(&x, ifname, &e))
		return false;
	ours = x.config->abi != 0;
	dawn_xdp_close(&x);
	return ours;
}

static int parse_load(struct load_request *r, int argc, char **argv,
		      int *status)
{
	uint32_t flows = 0;
	int mode = 0;
	bool daemon = false;
#define OPT(n, k, o, a, h, ...)                                      \
	{                                                            \
		.name = n, .kind = DAWN_OPT_##k, .out = o, .arg = a, \
		.help = h, ##__VA_ARGS__                             \
	}
	const struct dawn_opt opts[] = {
		OPT("dev", IFACE, &r->o.ifname, "IF", "interface",
		    .required = true),
		OPT("mode", CHOICE, &mode, "MODE",
		    "native, generic or auto (default: native if it can be "
		    "had)",
		    .choices = (const char **)mode_names),
		OPT("confirm", U32, &r->o.confirm_s, "SECONDS",
		    "revert then, unless `dawn confirm` came", .min = 1,
		    .max = 86400),
		OPT("http", U32, &r->ports.http, "PORT",
		    "TCP port (default 80; 0: none)", .max = 65535),
		OPT("hbtp", U32, &r->ports.hbtp, "PORT",
		    "UDP port (default 4860; 0: none)", .max = 65535),
		OPT("flows", U32, &flows, "N",
		    "TCP connections to make room for, 181 bytes each "
		    "(default 12288)",
		    .min = 1,
		    .max = DAWN_FLOW_SETS_MAX * DAWN_FLOW_WAYS / 4 * 3),
		OPT("slots", U32, &r->o.slots, "N",
		    "cached responses, 19 kB each (default 1024)", .min = 1,
		    .max = DAWN_SLOTS_MAX),
		OPT("any-cookie", FLAG, &r->ports.any_cookie, NULL,
		    "Cookie in a request changes no answer"),
		OPT("any-authorization", FLAG, &r->ports.any_authorization,
		    NULL, "the same for Authorization: everything is public"),
		OPT("any-cache-control", FLAG, &r->ports.any_cache_control,
		    NULL, "the same for Cache-Control and Pragma"),
		OPT("daemon", FLAG, &daemon, NULL,
		    "a dawnd will adopt it: without one, cached answers stop "
		    "after 60 s"),
		OPT("assume-no-vlan", FLAG, &r->o.assume_no_vlan, NULL,
		    "load even if VLAN tags may be hidden from XDP"),
		{ 0 },
	};
#undef OPT
	const struct dawn_cli cli = {
		.name = "load",
		.opts = opts,
		.about = "Put the XDP program on an interface and register the "
			 "interface's own\naddresses: echo, HTTP and HBTP are "
			 "answered from the kernel.\n",
	};

	if (dawn_cli_parse(&cli, argc, argv, status) < 0)
		return -1;
	r->o.mode = (enum dawn_xdp_mode)mode;
	r->o.standalone = !daemon;
	r->o.flow_sets = flows ? dawn_flow_sets_for(flows) : 0;
	return 0;
}

int dawn_cmd_load(int argc, char **argv)
{
	struct load_request r = { .ports = { .http = 80, .hbtp = 4860 } };
	int status;

	if (parse_load(&r, argc, argv, &status))
		return status;
	if (loaded_already(r.o.ifname))
		return refuse_again(r.o.ifname);
	warn_firewall(r.o.ifname);
	return r.o.confirm_s ? load_guarded(&r) : load(&r);
}

/* ---- confirm, off, unload ---- */

static const struct dawn_opt *dev_only(const char **ifname, bool required)
{
	static struct dawn_opt opts[] = {
		{ .name = "dev", .kind = DAWN_OPT_IFNAME, .arg = "IF" },
		{ 0 },
	};

	opts[0].out = ifname;
	opts[0].required = required;
	opts[0].help = required ? "interface"
				: "interface (default: the only one loaded)";
	return opts;
}

int dawn_cmd_confirm(int argc, char **argv)
{
	const char *ifname = NULL;
	const struct dawn_cli cli = {
		.name = "confirm",
		.opts = dev_only(&ifname, false),
		.about = "Keep what `dawn load --confirm` would take back.\n",
	};
	struct dawn_xdp x;
	uint32_t state;
	int status;

	if (dawn_cli_parse(&cli, argc, argv, &status) < 0)
		return status;
	status = dawn_cli_open_default(&x, &ifname);
	if (status)
		return status;
	state = x.record ? __atomic_load_n(&x.record->confirm, __ATOMIC_ACQUIRE)
			 : DAWN_CONFIRM_NONE;
	if (state == DAWN_CONFIRM_PENDING &&
	    confirm_move(x.record, DAWN_CONFIRM_DONE))
		printf("%s: confirmed\n", ifname);
	else if (state == DAWN_CONFIRM_DONE)
		printf("%s: was confirmed already\n", ifname);
	else
		status = dawn_cli_fail(
			"%s: %s", ifname,
			state == DAWN_CONFIRM_NONE
				? "was loaded without --confirm, nothing to "
				  "confirm"
				: "too late, it is being reverted");
	dawn_xdp_close(&x);
	return status;
}

static int take_down(const char *ifname, const char *what,
		     int (*fn)(const char *, struct dawn_error *))
{
	struct dawn_error e;
	int err = fn(ifname, &e);

	if (!err) {
		printf("%s: %s\n", ifname, what);
		return fflush(stdout) ? DAWN_EXIT_FAILED : DAWN_EXIT_OK;
	}
	if (err == -ENOENT && !e.text[0])
		return dawn_cli_fail("nothing is loaded on %s", ifname);
	return dawn_cli_fail("%s", e.text);
}

int dawn_cmd_off(int argc, char **argv)
{
	const char *ifname = NULL;
	const struct dawn_cli cli = {
		.name = "off",
		.opts = dev_only(&ifname, false),
		.about = "Emergency stop. Detach the program and remove its "
			 "pins, whatever state they are in,\nwhatever version "
			 "made them and whoever uses them; then turn offloads "
			 "back, as far\nas that goes. Needs nothing but "
			 "bpffs.\n",
	};
	int status;

	if (dawn_cli_parse(&cli, argc, argv, &status) < 0)
		return status;
	status = dawn_cli_default_dev(&ifname);
	return status ? status : take_down(ifname, "off", dawn_xdp_off);
}

static void warn_alive(const char *ifname)
{
	struct dawn_error e;
	struct dawn_xdp x;

	if (dawn_xdp_open(&x, ifname, &e))
		return;
	if (dawn_xdp_reactor_alive(&x))
		dawn_cli_warn("a dawnd serves %s: from now on it gets nothing "
			      "from there but through the kernel's TCP",
			      ifname);
	dawn_xdp_close(&x);
}

int dawn_cmd_unload(int argc, char **argv)
{
	const char *ifname = NULL;
	const struct dawn_cli cli = {
		.name = "unload",
		.opts = dev_only(&ifname, true),
		.about =
			"Detach the program, turn offloads back to what they "
			"were, remove the pins.\nCleans up after crashes too.\n",
	};
	int status;

	if (dawn_cli_parse(&cli, argc, argv, &status) < 0)
		return status;
	warn_alive(ifname);
	return take_down(ifname, "unloaded", dawn_xdp_unload);
}
