/**
 * The shell that runs inside application containers. It needs `sh` and `sleep` only (chmod, setsid, tail and rm are used
 * when they are there) and one writable directory: /tmp, else /dev/shm (which stays writable in a container with a
 * read-only root file system), /var/tmp, /run, $TMPDIR or $HOME.
 *
 * One background command is a set of files `<dir>/.stork-rule-<key>*`:
 *   ``      made with O_EXCL: starting twice finds the first          `.pid`   the runner: pid and start time
 *   `.wait` what ${WAIT_CMD} stands for                               `.log`   `holding MS PID START`, then `released MS` or `expired MS`
 *   `.go`   made by us: let go                                        `.out`   what the command wrote, mode 0600
 *   `.end`  exit code and MS, when the command has ended
 * A process is named by pid and start time, so a recycled pid never passes for the one that held.
 *
 * Three things end a hold: `.go`; the deadline in `.wait`, which counts inside the pod; and the runner's watchdog, which
 * kills a command that does not end after either, or that never reached ${WAIT_CMD} in time. Only `.log` and `.wait`
 * are open to other users, so that `su postgres -c '… ${WAIT_CMD} …'` works; neither holds anything secret.
 */
export interface HoldCommand {
  /** [A-Za-z0-9.-]{1,120}, unique to the operation, action, container and attempt. */
  readonly key: string;
  /** The rule's text, still with ${WAIT_CMD}. */
  readonly command: string;
  /** The dead-man timer. */
  readonly holdSeconds: number;
  /** How long the command may take to reach ${WAIT_CMD}. */
  readonly startSeconds: number;
  readonly graceSeconds: number;
  /** How long this exec waits in the pod for ${WAIT_CMD} to be reached before it answers. */
  readonly pollSeconds: number;
  readonly tailBytes: number;
}

/** The exec command which starts the background command, or finds it, and reports ({@link readHoldReport}). */
export function startScript(hold: HoldCommand): readonly string[] {
  const wait = waiter.replaceAll('HOLD_SECONDS', String(hold.holdSeconds));
  // Both clocks tick whole seconds: the waiter may let go a second late, and must not be killed for it.
  const killSeconds = hold.holdSeconds + 1 + hold.graceSeconds;
  const run = runner
    .replaceAll('START_SECONDS', String(hold.startSeconds))
    .replaceAll('KILL_SECONDS', String(killSeconds))
    .replaceAll('GRACE_SECONDS', String(hold.graceSeconds));
  const numbers = [String(hold.tailBytes), String(hold.pollSeconds)];
  return ['sh', '-c', starter, 'stork-rule', hold.key, ...numbers, hold.command, wait, run];
}

/** The exec command which only reports. */
export function observeScript(key: string, tailBytes: number): readonly string[] {
  return ['sh', '-c', `${find}\n${report}`, 'stork-rule', key, String(tailBytes)];
}

/** The exec command which lets go, waits up to `pollSeconds` for the command's end, and reports. */
export function releaseScript(key: string, pollSeconds: number, tailBytes: number): readonly string[] {
  return ['sh', '-c', `${find}\n${letGo}\n${report}`, 'stork-rule', key, String(tailBytes), String(pollSeconds)];
}

/** The exec command which removes the files of a command that has ended. */
export function clearScript(key: string): readonly string[] {
  return ['sh', '-c', `${find}\n${clear}`, 'stork-rule', key];
}

const places = '/tmp /dev/shm /var/tmp /run "$TMPDIR" "$HOME"';

// Sets f to the files' common beginning, or to nothing.
const find = `
f=
for d in ${places}; do
  if [ -n "$d" ] && [ -e "$d/.stork-rule-$1" ]; then f=$d/.stork-rule-$1; break; fi
done`;

// now: milliseconds into t, from date where it knows them, else from /proc/uptime (10 ms steps).
const now = `
now() {
  t=$(date +%s%3N 2>/dev/null)
  case $t in ''|*[!0-9]*) t=0; read -r u _ </proc/uptime && t=\${u%.*}\${u#*.}0;; esac
}`;

// up: whole seconds since boot into u. Without /proc it counts the calls, which are then a second apart.
const up = `
c=0
up() { if read -r u _ 2>/dev/null </proc/uptime; then u=\${u%.*}; else c=$((c+1)); u=$c; fi; }
nap=1
if [ -r /proc/uptime ] && sleep 0.01 2>/dev/null; then nap=0.05; fi`;

// me: this process' pid and start time into i. read opens /proc/self itself, so it is the shell and no child.
const me = `
me() { i='0 0'; if read -r l </proc/self/stat; then set -- \${l##*) }; i="\${l%% *} \${20}"; fi; } 2>/dev/null`;

// What ${WAIT_CMD} runs. The probe is how the starter learns whether the file can be executed: /dev/shm is often mounted
// noexec, which only trying tells (busybox' test -x looks at the mode bits alone).
const waiter = `#!/bin/sh
if [ "$1" = probe ]; then exit 0; fi
f=\${0%.wait}
${now}
${up}
${me}
me
now
echo "holding $t $i" >>"$f.log"
up
e=$((u + HOLD_SECONDS))
w=released
while [ ! -e "$f.go" ]; do
  up
  if [ "$u" -gt "$e" ]; then w=expired; break; fi
  sleep $nap
done
now
echo "$w $t" >>"$f.log"`;

// Runs the command and outlives the exec that started it. Arguments: files' beginning, command. Its watchdog is told by a signal that the
// command has ended: the files may be removed before it looks again, and what has that pid later is not ours to kill.
const runner = `
trap '' HUP
f=$1
k=$2
${now}
${up}
${me}
me
echo "$i" >"$f.pid"
sh -c "$k" >>"$f.out" 2>&1 </dev/null &
p=$!
kids() {
  for q in /proc/[0-9]*/stat; do
    read -r l <"$q" || continue
    x=\${l##*) }; x=\${x#* }
    if [ "\${x%% *}" = "$1" ]; then echo "\${l%% *}"; fi
  done 2>/dev/null
}
tree() {
  set -- "$1" "$2" $(kids "$2")
  kill -"$1" "$2" 2>/dev/null
  g=$1; shift 2
  for j; do tree "$g" "$j"; done
}
(
  d=
  trap d=1 USR1
  up; s=$u; r=; h=
  while [ -z "$d" ] && [ ! -s "$f.end" ]; do
    sleep $nap
    up
    if [ -z "$r" ] && [ -s "$f.log" ]; then r=$u; fi
    if [ -z "$h" ] && [ -e "$f.go" ]; then h=$u; fi
    if [ -z "$r" ] && [ $((u - s)) -ge START_SECONDS ]; then break; fi
    if [ -n "$r" ] && [ $((u - r)) -ge KILL_SECONDS ]; then break; fi
    if [ -n "$h" ] && { [ -z "$r" ] || [ $((u - h)) -ge GRACE_SECONDS ]; }; then break; fi
  done
  if [ -z "$d" ] && [ ! -s "$f.end" ]; then
    tree TERM $p
    sleep 2
    if [ -z "$d" ] && [ ! -s "$f.end" ]; then tree KILL $p; fi
  fi
) &
g=$!
wait $p
x=$?
kill -USR1 $g 2>/dev/null
now
echo "$x $t" >"$f.end"
wait`;

// Facts only; what they mean is readHoldReport's.
const report = `
if [ -z "$f" ]; then echo 'stork place=absent'; exit 0; fi
same() {
  if [ -z "$1" ]; then s=none; return; fi
  s=dead
  if read -r l </proc/"$1"/stat; then
    p=$2
    set -- \${l##*) }
    if [ "\${20}" = "$p" ] && [ "$1" != Z ]; then s=alive; fi
  fi
} 2>/dev/null
a=; b=
if [ -e "$f.pid" ]; then read -r a b <"$f.pid"; fi
same "$a" "$b"
echo "stork runner=$s"
n=
while read -r a b c d; do
  echo "stork $a=$b"
  if [ "$a" = holding ] && [ -z "$n" ]; then n=1; same "$c" "$d"; echo "stork waiter=$s"; fi
done <"$f.log"
if [ -s "$f.end" ]; then read -r a b <"$f.end"; echo "stork exit=$a"; echo "stork end=$b"; fi
echo 'stork output'
tail -c "$2" "$f.out" 2>/dev/null || while IFS= read -r l; do printf '%s\\n' "$l"; done <"$f.out"`;

const starter = `
tb=$2; poll=$3; k=$4; w=$5; r=$6
${find}
if [ -z "$f" ]; then
  for d in ${places}; do
    if [ -n "$d" ] && (umask 077; set -C; : >"$d/.stork-rule-$1") 2>/dev/null; then f=$d/.stork-rule-$1; break; fi
  done
  if [ -z "$f" ]; then echo 'stork place=none'; exit 0; fi
  (umask 077; : >"$f.out")
  (umask 0; : >"$f.log")
  (umask 022; printf '%s\\n' "$w" >"$f.wait"; chmod 755 "$f.wait") 2>/dev/null
  c=$f.wait
  if ! "$c" probe 2>/dev/null; then c="sh $c"; fi
  v='\${WAIT_CMD}'
  o=
  while :; do
    case $k in *"$v"*) o=$o\${k%%"$v"*}$c; k=\${k#*"$v"};; *) break;; esac
  done
  if command -v setsid >/dev/null 2>&1; then
    setsid sh -c "$r" stork-hold "$f" "$o$k" </dev/null >/dev/null 2>&1 &
  else
    sh -c "$r" stork-hold "$f" "$o$k" </dev/null >/dev/null 2>&1 &
  fi
fi
${up}
up
e=$((u + poll))
while [ ! -s "$f.log" ] && [ ! -s "$f.end" ]; do
  up
  if [ "$u" -ge "$e" ]; then break; fi
  sleep $nap
done
${report}`;

const letGo = `
if [ -n "$f" ]; then
  (umask 022; : >"$f.go")
  ${up}
  up
  e=$((u + $3))
  while [ ! -s "$f.end" ]; do
    up
    if [ "$u" -ge "$e" ]; then break; fi
    sleep $nap
  done
fi`;

const clear = `
if [ -n "$f" ]; then
  rm -f "$f.pid" "$f.wait" "$f.log" "$f.go" "$f.out" "$f.end" "$f" 2>/dev/null || : >"$f.out"
fi`;
