/* SPDX-License-Identifier: BSD-3-Clause
 * check_pci.c - a PCI device: does DPDK get it from the kernel, and what does the host lose by that?
 */
#include "check_port.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "interface.h"
#include "rights.h"

#define NOIOMMU "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
#define DEVICE "/sys/bus/pci/devices/%s"

/* ---- its interfaces ---- */

/* One of the kernel's that goes when another driver gets the device. */
struct use {
	char name[INTERFACE_NAME]; /* "": none that is in use */
	bool route;                /* it has the default route */
};

static void look_in(const char *folder, struct use *u)
{
	DIR *dir = opendir(folder);
	struct dirent *e;

	while (dir != NULL && !u->route && (e = readdir(dir)) != NULL) {
		bool route = interface_has_default_route(e->d_name);

		if (e->d_name[0] == '.' || (!route && !interface_is_up(e->d_name)))
			continue;
		snprintf(u->name, sizeof(u->name), "%.63s", e->d_name);
		u->route = route;
	}
	if (dir != NULL)
		closedir(dir);
}

/* Is one of its interfaces up? Those of virtio lie a folder deeper. */
static bool in_use(const char *address, struct use *u)
{
	char path[MACHINE_PATH], deeper[MACHINE_PATH + 256 + 8];
	DIR *dir = opendir(machine_path(path, DEVICE, address));
	struct dirent *e;

	*u = (struct use){0};
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, "net") == 0)
			snprintf(deeper, sizeof(deeper), "%s/net", path);
		else if (strncmp(e->d_name, "virtio", 6) == 0)
			snprintf(deeper, sizeof(deeper), "%s/%s/net", path, e->d_name);
		else
			continue;
		look_in(deeper, u);
	}
	if (dir != NULL)
		closedir(dir);
	return u->name[0] != '\0';
}

static const char *loss(struct check *c, const struct use *u)
{
	return TEXT("to take it away ends interface %s, which %s, and may cut this host off", u->name,
		    u->route ? "has the default route" : "is up");
}

/* ---- to VFIO ---- */

static const char *bind_command(struct check *c, const char *address)
{
	const char *device = TEXT(DEVICE, address);

	return TEXT("echo vfio-pci > %s/driver_override "
		    "&& { test ! -e %s/driver || echo %s > %s/driver/unbind; } "
		    "&& echo %s > /sys/bus/pci/drivers_probe",
		    device, device, address, device, address);
}

static void find_bound(struct check *c, const struct port *p, const char *address, const char *driver)
{
	const char *cause = TEXT("%s is bound to %s, not to vfio-pci", address,
				 *driver != '\0' ? driver : "no driver");
	struct use u;

	if (in_use(address, &u))
		port_add(c, p, FINDING_ERROR, cause, TEXT("DPDK does not get it; %s", loss(c, &u)),
			 port_other(c, p, TEXT("net_af_packet_%s,iface=%s", u.name, u.name)));
	else
		port_add(c, p, FINDING_ERROR, cause, "DPDK does not get it",
			 ROOT(TEXT("modprobe vfio-pci && %s", bind_command(c, address))));
}

static void check_group_file(struct check *c, const struct port *p, const char *address,
			     const char *group, bool without)
{
	const char *file = TEXT("/dev/vfio/%s%s", without ? "noiommu-" : "", group);
	char path[MACHINE_PATH];

	if (access(machine_path(path, "%s", file), R_OK | W_OK) != 0)
		port_add(c, p, FINDING_ERROR, TEXT("%s may not be used by this user", file),
			 "it does not open",
			 ROOT(TEXT("modprobe vfio-pci && chown %u:%u %s", geteuid(), getegid(), file)));
	else
		port_add(c, p, FINDING_OK,
			 without ? TEXT("%s is bound to vfio-pci, without IOMMU", address) :
				   TEXT("%s is bound to vfio-pci, IOMMU group %s", address, group),
			 "", "");
}

/* ---- its IOMMU group ---- */

/* Drivers that leave a group to VFIO: its own, and those that do no DMA. */
static bool leaves(const char *driver)
{
	return *driver == '\0' || strncmp(driver, "vfio", 4) == 0 ||
	       strcmp(driver, "pci-stub") == 0 || strcmp(driver, "pcieport") == 0;
}

/* Others of its group that are with drivers of the kernel. */
static void check_siblings(struct check *c, const struct port *p, const char *address,
			   const char *group)
{
	const char *others = "", *cure = "modprobe vfio-pci";
	char path[MACHINE_PATH], driver[64];
	struct use u, used = {0};
	struct dirent *e;
	DIR *dir = opendir(machine_path(path, DEVICE "/iommu_group/devices", address));

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		driver[0] = '\0';
		machine_link(driver, sizeof(driver), DEVICE "/driver", e->d_name);
		if (e->d_name[0] == '.' || strcmp(e->d_name, address) == 0 || leaves(driver))
			continue;
		others = TEXT("%s%s%s (%s)", others, *others != '\0' ? ", " : "", e->d_name, driver);
		cure = TEXT("%s && %s", cure, bind_command(c, e->d_name));
		if (in_use(e->d_name, &u) && !used.route)
			used = u;
	}
	if (dir != NULL)
		closedir(dir);
	if (*others == '\0')
		return;
	port_add(c, p, FINDING_ERROR,
		 TEXT("IOMMU group %s of %s is not viable: the kernel has of it %s", group, address,
		      others),
		 used.name[0] == '\0' ? "VFIO gives away a whole group, or nothing" :
					TEXT("VFIO gives away a whole group, or nothing; %s",
					     loss(c, &used)),
		 used.name[0] == '\0' ? ROOT(cure) : TEXT("ip address show dev %s", used.name));
}

/* ---- without an IOMMU ---- */

static bool noiommu_is_on(void)
{
	char mode[8];

	machine_text(mode, sizeof(mode), NOIOMMU);
	return mode[0] == 'Y' || mode[0] == '1';
}

/* Has the kernel found one at all? */
static bool has_iommus(void)
{
	char path[MACHINE_PATH];
	DIR *dir = opendir(machine_path(path, "/sys/class/iommu"));
	struct dirent *e = NULL;

	while (dir != NULL && (e = readdir(dir)) != NULL && e->d_name[0] == '.')
		;
	if (dir != NULL)
		closedir(dir);
	return e != NULL;
}

/* Intel's are off by default, AMD's on. */
static bool could_turn_on(void)
{
	char maker[64], words[4096];

	machine_text(words, sizeof(words), "/proc/cmdline");
	return !has_iommus() && machine_line(maker, sizeof(maker), "vendor_id", "/proc/cpuinfo") &&
	       strstr(maker, "GenuineIntel") != NULL && strstr(words, "intel_iommu=on") == NULL;
}

/* VFIO then makes a group for it, of that name. */
static bool is_without(const char *address, const char *group)
{
	char name[32];

	return *group == '\0' || machine_has("/dev/vfio/noiommu-%s", group) ||
	       (machine_text(name, sizeof(name), DEVICE "/iommu_group/name", address) &&
		strcmp(name, "vfio-noiommu") == 0);
}

static void check_without(struct check *c, const struct port *p, const char *address, bool on)
{
	if (!on)
		port_add(c, p, FINDING_ERROR,
			 TEXT("%s is in no IOMMU group%s", address,
			      has_iommus() ? "" : ", the kernel has no IOMMU"),
			 "vfio-pci does not take it; it would without IOMMU, and the device may then "
			 "write to any memory",
			 ROOT("modprobe vfio enable_unsafe_noiommu_mode=1 && echo Y > " NOIOMMU));
	if (could_turn_on())
		port_add(c, p, FINDING_NOTICE,
			 TEXT("%s has no IOMMU, the kernel runs without intel_iommu=on", address),
			 "nothing keeps the device from any memory",
			 ROOT("echo 'GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX intel_iommu=on iommu=pt\"' "
			      "> /etc/default/grub.d/vnicd-iommu.cfg && update-grub && reboot"));
	else if (on)
		port_add(c, p, FINDING_NOTICE, TEXT("%s has no IOMMU", address),
			 "nothing keeps the device from any memory",
			 ROOT("dmesg | grep -iE 'dmar|iommu|amd-vi'"));
}

/* ---- all ---- */

/* Drivers of the kernel that stay, beside DPDK's. */
static bool stays(const char *driver)
{
	return strncmp(driver, "mlx", 3) == 0 || strcmp(driver, "mana") == 0;
}

static bool is_uio(const char *driver)
{
	return strncmp(driver, "uio", 3) == 0 || strcmp(driver, "igb_uio") == 0;
}

uint64_t device_rights(const char *address)
{
	char group[32] = "", driver[64] = "";

	machine_link(group, sizeof(group), DEVICE "/iommu_group", address);
	machine_link(driver, sizeof(driver), DEVICE "/driver", address);
	if (!noiommu_is_on() || !machine_has(DEVICE, address) || !is_without(address, group) ||
	    stays(driver) || is_uio(driver))
		return 0;
	/* to open its group, and for the physical addresses that it is given */
	return RIGHT(CAP_SYS_RAWIO) | RIGHT(CAP_SYS_ADMIN);
}

static void check_vfio(struct check *c, const struct port *p, const char *address, const char *driver)
{
	bool bound = strcmp(driver, "vfio-pci") == 0, without;
	char group[32] = "";

	machine_link(group, sizeof(group), DEVICE "/iommu_group", address);
	without = is_without(address, group);
	if (without)
		check_without(c, p, address, noiommu_is_on());
	if (without && !noiommu_is_on())
		return;
	if (!bound)
		find_bound(c, p, address, driver);
	else
		check_group_file(c, p, address, group, without);
	if (!without)
		check_siblings(c, p, address, group);
}

void check_device(struct check *c, const struct port *p, const char *address)
{
	char driver[64] = "";

	if (c->args.no_pci)
		port_add(c, p, FINDING_ERROR, "EAL's --no-pci hides it", "it does not open",
			 check_rerun(c, NULL, NULL, "--no-pci"));
	if (!machine_has(DEVICE, address)) {
		port_add(c, p, FINDING_ERROR, TEXT("there is no PCI device %s", address),
			 "it does not open", "lspci -D -d ::0200");
		return;
	}
	machine_link(driver, sizeof(driver), DEVICE "/driver", address);
	if (is_uio(driver) && geteuid() != 0)
		port_add(c, p, FINDING_ERROR,
			 TEXT("%s is bound to %s, which only root may use", address, driver),
			 "it does not open", ROOT(check_rerun(c, NULL, NULL, NULL)));
	else if (stays(driver) || is_uio(driver))
		port_add(c, p, FINDING_OK, TEXT("%s is bound to %s", address, driver), "", "");
	else
		check_vfio(c, p, address, driver);
}
