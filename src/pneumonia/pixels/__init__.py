"""From files to batches: decoding, the pixel store, tf.data inputs, augmentation."""
