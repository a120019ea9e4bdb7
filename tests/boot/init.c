/* The whole user space of a machine that booted: it says so on the console and powers the machine off.
 *
 * The kernel hands unknown `name=value` words of its command line to init as environment, so the chain's name and the
 * run's nonce arrive without parsing /proc/cmdline. The nonce on the command line and the one in the initrd must
 * agree: only then do the configuration file and the initrd of *this* run stand behind the marker. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

static int initrd_nonce_is(const char *expected)
{
    char found[64] = "";
    int fd = open("/nonce", O_RDONLY);
    ssize_t length = fd < 0 ? -1 : read(fd, found, sizeof found - 1);

    return expected != NULL && length > 0 && strcmp(found, expected) == 0;
}

int main(void)
{
    const char *chain = getenv("boot_chain");
    const char *nonce = getenv("boot_nonce");

    if (initrd_nonce_is(nonce))
        printf("\nRINGBOOT-BOOT-OK %s %s\n", chain ? chain : "?", nonce);
    else
        printf("\nRINGBOOT-BOOT-BAD the initrd is not the one that the command line names\n");
    fflush(stdout);
    sleep(1); /* The UART drains before the machine goes away. */
    reboot(RB_POWER_OFF);
    return 1;
}
