/// An expression as a non-deterministic automaton, run in step with the path: every state it could
/// be in is kept, each once, so that a character costs at most one visit of each instruction.
struct PathProgram: Sendable {
    private enum Instruction: Sendable {
        case scalar(Unicode.Scalar)
        /// A bit for each ASCII character that is in the set, and which of ``sets`` knows the others.
        case scalars(UInt64, UInt64, set: Int)
        case assertion(PathAssertion)
        case jump(Int)
        case split(Int, Int)
        case match
    }

    private var instructions: [Instruction] = []
    /// Kept apart so that an instruction is copied without counting references.
    private var sets: [PathScalarSet] = []
    /// Whether a match can only begin at the path's start.
    private var isAnchored = false
    private var steps = 0

    init(_ expression: PathExpression) throws(PathPattern.Malformed) {
        self.isAnchored = Self.isAnchored(expression)
        try self.emit(expression)
        try self.append(.match)
    }

    private mutating func append(_ instruction: Instruction) throws(PathPattern.Malformed) {
        guard self.instructions.count < PathPattern.maximumInstructions else {
            throw PathPattern.Malformed(message: "expression is too large")
        }
        self.instructions.append(instruction)
    }

    private mutating func append(_ set: PathScalarSet) throws(PathPattern.Malformed) {
        var (low, high) = (UInt64(0), UInt64(0))
        for value in UInt8(0)..<64 {
            if set.contains(Unicode.Scalar(value)) { low |= 1 << value }
            if set.contains(Unicode.Scalar(value + 64)) { high |= 1 << value }
        }
        try self.append(.scalars(low, high, set: self.sets.count))
        self.sets.append(set)
    }

    private mutating func emit(_ expression: PathExpression) throws(PathPattern.Malformed) {
        // Repetitions of nothing emit nothing, so instructions alone would not bound the work.
        self.steps += 1
        guard self.steps <= 10 * PathPattern.maximumInstructions else {
            throw PathPattern.Malformed(message: "expression is too large")
        }
        switch expression {
        case .empty:
            break
        case .scalars(let set):
            if case .range(let range)? = set.items.first, set.items.count == 1, range.count == 1,
                !set.isNegated, !set.foldsCase, let scalar = Unicode.Scalar(range.lowerBound)
            {
                try self.append(.scalar(scalar))
            } else {
                try self.append(set)
            }
        case .assertion(let assertion):
            try self.append(.assertion(assertion))
        case .sequence(let parts):
            for part in parts { try self.emit(part) }
        case .alternatives(let parts):
            try self.emit(alternatives: parts)
        case .repetition(let part, let minimum, let maximum):
            try self.emit(part, minimum: minimum, maximum: maximum)
        }
    }

    private mutating func emit(
        alternatives parts: [PathExpression]
    ) throws(PathPattern.Malformed) {
        var ends: [Int] = []
        for part in parts.dropLast() {
            let split = self.instructions.count
            try self.append(.split(split + 1, 0))
            try self.emit(part)
            ends.append(self.instructions.count)
            try self.append(.jump(0))
            self.instructions[split] = .split(split + 1, self.instructions.count)
        }
        if let last = parts.last { try self.emit(last) }
        for end in ends { self.instructions[end] = .jump(self.instructions.count) }
    }

    private mutating func emit(
        _ part: PathExpression,
        minimum: Int,
        maximum: Int?
    ) throws(PathPattern.Malformed) {
        for _ in 0..<minimum { try self.emit(part) }
        guard let maximum else {
            let split = self.instructions.count
            try self.append(.split(split + 1, 0))
            try self.emit(part)
            try self.append(.jump(split))
            self.instructions[split] = .split(split + 1, self.instructions.count)
            return
        }
        var splits: [Int] = []
        for _ in minimum..<maximum {
            splits.append(self.instructions.count)
            try self.append(.split(self.instructions.count + 1, 0))
            try self.emit(part)
        }
        for split in splits {
            self.instructions[split] = .split(split + 1, self.instructions.count)
        }
    }

    private static func isAnchored(_ expression: PathExpression) -> Bool {
        switch expression {
        case .assertion(.textStart): true
        case .sequence(let parts): parts.first.map(self.isAnchored) ?? false
        case .alternatives(let parts): parts.allSatisfy(self.isAnchored)
        default: false
        }
    }

    /// Whether the automaton reaches its end anywhere in `path`.
    func matches(_ path: String.UnicodeScalarView) -> Bool {
        var states = States(capacity: self.instructions.count)
        var next = States(capacity: self.instructions.count)
        var previous: Unicode.Scalar?
        var iterator = path.makeIterator()
        var current = iterator.next()
        while true {
            if previous == nil || !self.isAnchored {
                if self.enter(0, &states, after: previous, before: current) { return true }
            }
            guard let scalar = current else { return false }
            if states.isEmpty, self.isAnchored { return false }
            let following = iterator.next()
            for state in states.waiting {
                let isStep =
                    switch self.instructions[state] {
                    case .scalar(let wanted): wanted == scalar
                    case .scalars(let low, let high, let set):
                        switch scalar.value {
                        case 0..<64: low >> scalar.value & 1 != 0
                        case 64..<128: high >> (scalar.value - 64) & 1 != 0
                        default: self.sets[set].contains(scalar)
                        }
                    default: false
                    }
                if isStep, self.enter(state + 1, &next, after: scalar, before: following) {
                    return true
                }
            }
            swap(&states, &next)
            next.removeAll()
            previous = scalar
            current = following
        }
    }

    /// Adds a state and all it leads to without a character; true when that is the end.
    private func enter(
        _ start: Int,
        _ states: inout States,
        after previous: Unicode.Scalar?,
        before next: Unicode.Scalar?
    ) -> Bool {
        states.pending.append(start)
        while let state = states.pending.popLast() {
            guard states.visit(state) else { continue }
            switch self.instructions[state] {
            case .scalar, .scalars: states.waiting.append(state)
            case .assertion(let assertion):
                if assertion.holds(after: previous, before: next) {
                    states.pending.append(state + 1)
                }
            case .jump(let target): states.pending.append(target)
            case .split(let first, let second):
                states.pending.append(second)
                states.pending.append(first)
            case .match: return true
            }
        }
        return false
    }

    /// The states the automaton is in between two characters.
    private struct States {
        /// Those that wait for a character.
        var waiting: [Int] = []
        var pending: [Int] = []
        private var visited: [UInt32]
        private var round: UInt32 = 1

        init(capacity: Int) { self.visited = Array(repeating: 0, count: capacity) }

        var isEmpty: Bool { self.waiting.isEmpty }

        mutating func visit(_ state: Int) -> Bool {
            if self.visited[state] == self.round { return false }
            self.visited[state] = self.round
            return true
        }

        mutating func removeAll() {
            self.waiting.removeAll(keepingCapacity: true)
            self.round += 1
        }
    }
}
