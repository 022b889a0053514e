# SPDX-License-Identifier: BSD-3-Clause
# debian.py - a package of Debian's for its files, which is not installed
import glob
import os
import shutil
import subprocess

from hosts import run


def download(folder, choose):
    """The package's file, in the folder, which is made anew; None: it cannot be had, and there is no folder.

    choose(options) names the package, or None; options are apt's."""
    shutil.rmtree(folder, ignore_errors=True)
    private = ["-o", "Dir::State::Lists=%s/lists" % folder, "-o", "Dir::Cache=%s/cache" % folder]
    os.makedirs(folder + "/lists/partial")
    os.makedirs(folder + "/cache")
    for options in [], private:  # what is known of Debian's packages may be nothing, or too old
        if options:
            run("apt-get", *options, "update")
        name = choose(options)
        if name and subprocess.run(["apt-get", *options, "download", name], cwd=folder, capture_output=True,
                                   timeout=90).returncode == 0:
            return glob.glob("%s/%s_*.deb" % (folder, name))[0]
    shutil.rmtree(folder)
    return None


def tidy(folder, *keep):
    for rest in set(os.listdir(folder)) - set(keep):
        run("rm", "-rf", "%s/%s" % (folder, rest))
