import Foundation
import Glibc

/// A descriptor of the process in a form that an event loop can wait for.
///
/// A pipe or a socket is used as it is, and its flags are restored at the end, since whoever shares it
/// does not expect O_NONBLOCK. Everything else (a file, a terminal, /dev/null) is copied by a thread
/// through a pipe.
struct CopiedDescriptor: Sendable {
    /// For the event loop, which closes it.
    let end: CInt
    private let original: CInt
    private let flags: CInt
    /// Ended when the thread is done; nil where there is none.
    private let copying: AsyncStream<Void>?

    /// nil, with `errno` set, when there is no descriptor left.
    init?(input: CInt) {
        self.init(input, copy: { Self.copy(from: $0, to: $1) }, isInput: true)
    }

    init?(output: CInt) {
        self.init(output, copy: { Self.copy(from: $1, to: $0) }, isInput: false)
    }

    private init?(_ original: CInt, copy: @escaping @Sendable (CInt, CInt) -> Void, isInput: Bool) {
        self.original = original
        self.flags = fcntl(original, F_GETFL)
        var status = stat()
        let kind = fstat(original, &status) == 0 ? status.st_mode & S_IFMT : 0
        if kind == S_IFIFO || kind == S_IFSOCK {
            self.end = dup(original)
            self.copying = nil
            guard self.end >= 0 else { return nil }
            return
        }
        var ends: [CInt] = [-1, -1]
        guard pipe(&ends) == 0 else { return nil }
        let (mine, theirs) = isInput ? (ends[0], ends[1]) : (ends[1], ends[0])
        self.end = mine
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        self.copying = stream
        Thread.detachNewThread {
            copy(original, theirs)
            close(theirs)
            continuation.finish()
        }
    }

    /// Returns when everything has been copied; the end has to be closed before.
    func finish() async {
        guard let copying else { return }
        for await _ in copying {}
    }

    /// For an output that is over before the process is: whoever reads it has to see the end.
    ///
    /// What is copied is ended by its thread.
    func endOutput() {
        guard self.copying == nil else { return }
        self.restore()
        // A socket may be the input, too; of anything else this is an error without consequence.
        _ = shutdown(self.original, CInt(SHUT_WR))
        let nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC)
        guard nowhere >= 0 else { return }
        dup2(nowhere, self.original)
        close(nowhere)
    }

    func restore() {
        guard self.copying == nil, self.flags >= 0 else { return }
        _ = fcntl(self.original, F_SETFL, self.flags)
    }

    /// Blocks until the source ends or the target takes no more.
    private static func copy(from source: CInt, to target: CInt) {
        withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 16) { buffer in
            while true {
                let count = read(source, buffer.baseAddress, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return }
                var offset = 0
                while offset < count {
                    let written = write(
                        target,
                        buffer.baseAddress.map { $0 + offset },
                        count - offset
                    )
                    if written < 0, errno == EINTR { continue }
                    guard written > 0 else { return }
                    offset += written
                }
            }
        }
    }
}
