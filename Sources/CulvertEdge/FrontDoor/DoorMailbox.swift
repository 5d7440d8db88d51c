import Dispatch
import NIOCore
import Synchronization

/// How other threads reach the front door's: a queue of commands and a wake-up. Any thread, but for
/// the waiting half of ``poll``.
final class DoorMailbox: Sendable {
    enum Command: Sendable {
        case stopAccepting(done: DispatchSemaphore)
        /// Calls back once nobody is being greeted, or at the deadline.
        case tellOfGreetings(deadline: NIODeadline, done: @Sendable () -> Void)
        case shutDown
    }

    let poll: EventPoll
    private let commands = Mutex<[Command]>([])

    init() throws(FrontDoorError) { self.poll = try EventPoll() }

    func send(_ command: Command) {
        self.commands.withLock { $0.append(command) }
        self.poll.wake()
    }

    func takeCommands() -> [Command] {
        self.commands.withLock { commands in
            defer { commands.removeAll() }
            return commands
        }
    }
}
