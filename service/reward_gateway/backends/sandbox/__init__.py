"""Callers' code and SQL, each in a process of its own that the kernel keeps away from everything else.

The boundary is the kernel, never the interpreter: a program may call any builtin, reach ctypes, run machine code.
Before its first line, its process has given up, for good (``lockdown``):

- **system calls** (``seccomp``): all but some forty that compute, allocate and end. No socket of any kind, no file
  opened, no process or thread made, no program executed, no signal sent, no limit raised, no debugger, no io_uring.
- **files and more** (``landlock``): every file right, TCP, abstract sockets, signals to other processes.
- **the network** (``namespaces``): a network, IPC and host name of its own, empty, where the kernel allows it.
- **privileges** (``privileges``): no user but nobody where it began as root, no capability, no new privileges.
- **limits**: CPU time, memory, no new descriptor, no byte of a file, no core; it dies with the gateway.
- **children** (``childless``): a limit of no processes and no threads, and a try that it holds.

From outside, the gateway ends it after its time (wall clock, counted from its first line) and when it writes more
than a result may hold. The environment is empty. It is given JSON over a pipe and gives JSON back.

What is refused to begin with: a machine on which a child can still be made, and one whose kernel offers neither
``seccomp`` nor ``landlock`` with ``namespaces``. Without seccomp the others leave more of the kernel within reach:
whether a file exists and its size can be asked, and a user namespace of its own made; files, network, processes and
signals stay closed all the same.

Programs that come with tests are judged where they cannot reach (``supervisor``):

- A **spawner** is forked before the tests are read, and starts programs' processes: whatever a program finds in its
  memory, in frames or by ``gc``, the tests and their answers are not there.
- A program's process (``player``) gives the functions and classes that it defines to the process of the tests
  (``examiner``), over a socket, as plain data in JSON (``values``, ``peer``, ``remote``). It sees the arguments of its
  calls, and gives results back. What it says of equality is no evidence.
- Both are locked down as above; the **supervisor** runs no foreign code, ends them, and starts new ones after a test
  that did not end.

Programs in other languages (``languages``) are executed by the machine's own ``bash``, ``node``, or ``g++`` and what it
built, once for each input. An interpreter opens files and starts threads and programs, so that they are locked down in
another way (``lockdown.lock_executed``), which needs landlock and seccomp both; where one is missing they are not run:

- **files** (``landlock``): nothing but the machine's programs and libraries (``/usr``, ``/lib``, ``/bin``, the loader's
  cache) and a private folder with the program, to read and execute; ``/dev/null``. Nothing can be written, no mode or
  owner changed. Only a compiler writes, to that folder, which is removed with what is in it.
- **system calls** (``seccomp``): besides the above, to open files and to start threads and programs. No socket, signal,
  debugger or limit of another process, no new namespace, group or session.
- **processes**: 64 together, threads included, counted by a user of the program's own (a passing one where the gateway
  is root, else one in a namespace of its own); they are a group that none can leave, which is killed as one. The time
  of a test is counted for all of them.
- The expected outputs are in the supervisor alone; what a program is told is one input.

What is **not** stopped: a program uses its CPU time and memory to the limit; it sees the clock; side channels of the
processor are the kernel's matter. A ``python`` program with its ``main`` alone has its process to itself, and whatever
code it is put together with. Ending early, printing a result or closing the pipe does not pass for one.
"""
