import SystemIO
import Varlink

/// A reply with lists, which may be cut into several: with `more`, a method answers in as many as
/// keep each of them short, and the client puts them together.
public protocol PartedReply: Codable, Sendable {
    /// The same in parts, in order; a short one is one part.
    func parts() -> [Self]
    /// Adds the part that follows.
    mutating func append(_ part: Self)
}

/// Something in a list, whose size on the wire can be estimated.
protocol ListedElement {
    /// Bytes on the wire, about.
    var approximateSize: Int { get }
}

/// Bytes of a part, about: decoding and encoding it takes about a millisecond.
private let partSize = 32 << 10

extension Array where Element: ListedElement {
    /// Pieces that are short on the wire, or of one element.
    func pieces() -> [[Element]] {
        var pieces: [[Element]] = []
        var start = 0
        var size = 0
        for (index, element) in enumerated() {
            let more = element.approximateSize
            if index > start, size + more > partSize {
                pieces.append(Array(self[start..<index]))
                (start, size) = (index, 0)
            }
            size += more
        }
        if start < count { pieces.append(Array(self[start...])) }
        return pieces
    }
}

extension Service {
    /// Answers a method with lists, in several replies where the client takes them; otherwise as
    /// ``answer(_:_:)``.
    public mutating func answerInParts<M: Method>(
        _ method: M.Type,
        _ body: @escaping @Sendable @EventLoop (Call<M>) async throws -> M.Reply
    ) where M.Parameters: LimitedParameters, M.Reply: PartedReply, M.Failure == RuntimeError {
        answer(method) { call in
            let reply = try await body(call)
            let parts = reply.parts()
            guard parts.count > 1, let last = parts.last else { return reply }
            guard call.wantsMore else {
                call.expectLongReply()
                return reply
            }
            for part in parts.dropLast() {
                try await call.reply(part)
                await EventLoop.nextTurn()
            }
            return last
        }
    }
}

extension Connection {
    /// Calls a method that may answer in parts, and puts them together.
    ///
    /// - Throws: as ``callForParts(_:_:_:)``.
    func callForWhole<M: Method>(
        _ method: M.Type, _ parameters: M.Parameters
    ) async throws -> M.Reply where M.Reply: PartedReply {
        var whole: M.Reply?
        try await callForParts(method, parameters) { part in
            if whole == nil {
                whole = part
            } else {
                whole?.append(part)
                await EventLoop.nextTurn()
            }
        }
        guard let whole else { throw ConnectionError.lost(address) }
        return whole
    }
}

// MARK: Sizes

private func byteCount(_ map: [String: String]) -> Int {
    map.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count + 6 }
}

private func byteCount(_ texts: [String]) -> Int { texts.reduce(0) { $0 + $1.utf8.count + 3 } }

/// The fields that every element has, with their names.
private let fixedSize = 256

extension ImageName {
    fileprivate var approximateSize: Int { repository.utf8.count + tag.utf8.count + 32 }
}

extension Image: ListedElement {
    var approximateSize: Int {
        fixedSize + names.reduce(0) { $0 + $1.approximateSize } + byteCount(digests)
    }
}

extension Container: ListedElement {
    var approximateSize: Int { fixedSize + byteCount(labels) }
}

extension Volume: ListedElement {
    var approximateSize: Int { fixedSize + byteCount(labels) + byteCount(options) }
}

extension Plugin: ListedElement {
    var approximateSize: Int { fixedSize + config.utf8.count }
}

extension ContainerUse: ListedElement {
    var approximateSize: Int { 2 * fixedSize + byteCount(labels) }
}

extension ImageUse: ListedElement {
    var approximateSize: Int {
        2 * fixedSize + names.reduce(0) { $0 + $1.approximateSize } + byteCount(digests)
            + byteCount(labels)
    }
}

extension VolumeUse: ListedElement {
    var approximateSize: Int { fixedSize + byteCount(labels) }
}

// MARK: Replies

extension Runtime.ListImages.Reply: PartedReply {
    public func parts() -> [Self] { images.pieces().map(Self.init(images:)) }
    public mutating func append(_ part: Self) { images += part.images }
}

extension Runtime.ListContainers.Reply: PartedReply {
    public func parts() -> [Self] { containers.pieces().map(Self.init(containers:)) }
    public mutating func append(_ part: Self) { containers += part.containers }
}

extension Runtime.ListVolumes.Reply: PartedReply {
    public func parts() -> [Self] { volumes.pieces().map(Self.init(volumes:)) }
    public mutating func append(_ part: Self) { volumes += part.volumes }
}

extension Runtime.ListPlugins.Reply: PartedReply {
    public func parts() -> [Self] { plugins.pieces().map(Self.init(plugins:)) }
    public mutating func append(_ part: Self) { plugins += part.plugins }
}

extension Runtime.SurveyUse.Reply: PartedReply {
    /// The storage comes with the first.
    public func parts() -> [Self] {
        var parts =
            containers.pieces().map { Self(containers: $0) }
            + images.pieces().map { Self(images: $0) } + volumes.pieces().map { Self(volumes: $0) }
        if parts.isEmpty { return [self] }
        parts[0].storage = storage
        return parts
    }

    public mutating func append(_ part: Self) {
        containers += part.containers
        images += part.images
        volumes += part.volumes
        storage = storage ?? part.storage
    }
}
