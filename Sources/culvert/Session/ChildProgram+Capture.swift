import CulvertDNS
import Dispatch
import Foundation
import Glibc
import NIOPosix
import Synchronization

extension ChildProgram {
    /// Runs a program to its end, or to that of its time, and takes what it says: at most `maximumBytes` of
    /// standard output, and of standard error.
    ///
    /// It is in a process group of its own, which is ended when its time is over (SIGTERM, a second later
    /// SIGKILL), or when this process is told to end.
    static func capture(_ call: ProgramCall, maximumBytes: Int = 64 << 10) async -> ProgramEnd {
        let end = try? await NIOThreadPool.singleton.runIfActive {
            guard let run = CapturedRun(call, maximumBytes: maximumBytes) else {
                return ProgramEnd(.notStarted(errno))
            }
            return run.finish()
        }
        return end ?? ProgramEnd(.notStarted(ECANCELED))
    }
}

/// A program that runs, and its pipes. Confined to the thread that waits for it.
private final class CapturedRun {
    private let pid: pid_t
    private let deadline: ContinuousClock.Instant
    private var output: CapturedPipe
    private var errors: CapturedPipe

    /// How long a program that was asked to end may take for it.
    private static let lastWords = Duration.seconds(1)

    /// Starts it; nil when it cannot be started, with the reason in `errno`.
    init?(_ call: ProgramCall, maximumBytes: Int) {
        guard let input = PipeEnds(), let output = PipeEnds(), let errors = PipeEnds() else {
            return nil
        }
        // A pipe holds 64 KiB: the input is in it before anybody reads.
        guard call.input.utf8.count <= 60_000, input.fill(call.input) else {
            errno = E2BIG
            return nil
        }
        let started = Self.spawn(call, input: input, output: output, errors: errors)
        for descriptor in [input.reading, output.writing, errors.writing] { close(descriptor) }
        guard let pid = started else {
            let reason = errno
            close(output.reading)
            close(errors.reading)
            errno = reason
            return nil
        }
        self.pid = pid
        self.deadline = .now + call.timeout
        self.output = CapturedPipe(output.reading, maximumBytes)
        self.errors = CapturedPipe(errors.reading, maximumBytes)
    }

    private static func spawn(
        _ call: ProgramCall,
        input: PipeEnds,
        output: PipeEnds,
        errors: PipeEnds
    ) -> pid_t? {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (own, its) in [(input.reading, 0), (output.writing, 1), (errors.writing, 2)] {
            posix_spawn_file_actions_adddup2(&actions, own, CInt(its))
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Threads that block signals, and those that are ignored, are inherited.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))
        var words = ([call.program] + call.arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, call.program, &actions, &attributes, &words, environ)
        guard code == 0 else {
            errno = code
            return nil
        }
        return pid
    }

    /// Waits for the end.
    func finish() -> ProgramEnd {
        let interruption = Interruption()
        var status: CInt = 0
        var isTooLate = false
        while waitpid(self.pid, &status, WNOHANG) == 0 {
            self.read(waiting: self.output.isOpen || self.errors.isOpen ? 50 : 5)
            guard interruption.isNoted || ContinuousClock.now >= self.deadline else {
                continue
            }
            isTooLate = true
            status = self.stop()
            break
        }
        // Something that it left behind may hold the pipes open, and go on writing: what is in them is all.
        for _ in 0..<16 where !self.read(waiting: 0) { break }
        self.output.end()
        self.errors.end()
        interruption.end()
        let cause: ProgramEnd.Cause =
            isTooLate
            ? .timedOut
            : status & 0x7F == 0 ? .exited((status >> 8) & 0xFF) : .signalled(status & 0x7F)
        return ProgramEnd(cause, output: self.output.text, errors: self.errors.text)
    }

    /// Ends the program and all that is left of its group, and gives its status.
    private func stop() -> CInt {
        kill(-self.pid, SIGTERM)
        let end = ContinuousClock.now + Self.lastWords
        var status: CInt = 0
        while waitpid(self.pid, &status, WNOHANG) == 0 {
            self.read(waiting: 5)
            if ContinuousClock.now >= end { kill(-self.pid, SIGKILL) }
        }
        kill(-self.pid, SIGKILL)
        return status
    }

    /// Reads what is there, waiting for it so many milliseconds; false when there is nothing.
    @discardableResult
    private func read(waiting milliseconds: CInt) -> Bool {
        var polled = [self.output, self.errors].map {
            pollfd(fd: $0.isOpen ? $0.descriptor : -1, events: Int16(POLLIN), revents: 0)
        }
        guard poll(&polled, nfds_t(polled.count), milliseconds) > 0 else { return false }
        if polled[0].revents != 0 { self.output.read() }
        if polled[1].revents != 0 { self.errors.read() }
        return true
    }
}

/// Both ends of a pipe.
private struct PipeEnds {
    let reading: CInt
    let writing: CInt

    init?() {
        var ends: [CInt] = [-1, -1]
        guard pipe(&ends) == 0 else { return nil }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (self.reading, self.writing) = (ends[0], ends[1])
    }

    /// Writes a text that fits into the pipe, and ends it.
    func fill(_ text: String) -> Bool {
        defer { close(self.writing) }
        let bytes = Array(text.utf8)
        return bytes.isEmpty || write(self.writing, bytes, bytes.count) == bytes.count
    }
}

/// The reading end of a pipe, and what came out of it.
private struct CapturedPipe {
    let descriptor: CInt
    private(set) var isOpen = true
    private var bytes: [UInt8] = []
    private let maximumBytes: Int

    init(_ descriptor: CInt, _ maximumBytes: Int) {
        self.descriptor = descriptor
        self.maximumBytes = maximumBytes
    }

    var text: String { String(decoding: self.bytes, as: UTF8.self) }

    /// Takes what is there; what is too much is read and forgotten.
    mutating func read() {
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        let count = Glibc.read(self.descriptor, &buffer, buffer.count)
        guard count > 0 else { return self.end() }
        self.bytes += buffer[..<count].prefix(self.maximumBytes - self.bytes.count)
    }

    mutating func end() {
        guard self.isOpen else { return }
        close(self.descriptor)
        self.isOpen = false
    }
}

/// SIGINT and SIGTERM while a program runs: its process group hears of neither. Confined like its run.
private final class Interruption {
    private final class Note: Sendable {
        let signal = Atomic<CInt>(0)
    }

    private static let signals = [SIGINT, SIGTERM]

    private let note = Note()
    private let sources: [any DispatchSourceSignal]
    private let before: [sig_t?]

    init() {
        let note = self.note
        self.before = Self.signals.map { signal($0, SIG_IGN) }
        self.sources = Self.signals.map { number in
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { note.signal.store(number, ordering: .relaxed) }
            source.resume()
            return source
        }
    }

    var isNoted: Bool { self.note.signal.load(ordering: .relaxed) != 0 }

    /// Gives the signals back to the process, with the one that came.
    func end() {
        for source in self.sources { source.cancel() }
        for (number, handler) in zip(Self.signals, self.before) { signal(number, handler) }
        let number = self.note.signal.load(ordering: .relaxed)
        guard number != 0 else { return }
        // Whoever else may take it blocks it, as this thread may.
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, number)
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
        raise(number)
    }
}
