import Synchronization

/// A value that test closures on several threads share.
final class Mutexed<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>

    init(_ value: Value) { self.mutex = Mutex(value) }

    var value: Value { self.mutex.withLock { $0 } }

    func update(_ body: (inout Value) -> Void) { self.mutex.withLock { body(&$0) } }
}
