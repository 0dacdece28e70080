//! What had been handed over to a receiver that did not want it any more.

/// Values that come before all others, the last that was given back first.
pub(super) struct Returned<T>(Option<Box<Node<T>>>);

/// Memory for one of them, made and freed outside of any lock.
pub(super) struct Node<T> {
    value: Option<T>,
    next: Option<Box<Node<T>>>,
}

impl<T> Returned<T> {
    pub(super) const fn new() -> Self {
        Returned(None)
    }

    /// Memory for [`push`](Self::push).
    pub(super) fn node() -> Option<Box<Node<T>>> {
        Some(Box::new(Node { value: None, next: None }))
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn push(&mut self, mut node: Box<Node<T>>, value: Option<T>) {
        node.value = value;
        node.next = self.0.take();
        self.0 = Some(node);
    }

    /// The first one, and memory to be freed outside of the lock.
    pub(super) fn pop(&mut self) -> Option<(T, Box<Node<T>>)> {
        let mut node = self.0.take()?;
        self.0 = node.next.take();
        Some((node.value.take().expect("a value that was given back"), node))
    }

    pub(super) fn len(&self) -> usize {
        std::iter::successors(self.0.as_ref(), |node| node.next.as_ref()).count()
    }
}

impl<T> Default for Returned<T> {
    fn default() -> Self {
        Returned::new()
    }
}

impl<T> Drop for Returned<T> {
    fn drop(&mut self) {
        // One by one: a long list would take a deep stack.
        while self.pop().is_some() {}
    }
}
