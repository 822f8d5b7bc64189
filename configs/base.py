"""What every run declares: the study's recipe on VOC2007. Variants override a few of these fields.

A config is a Python file and is run as one: load only those you trust.
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    """The fields of a training run, with the study's values."""
    config = ml_collections.ConfigDict()

    # The network: what to start from, and the layers where that does not tell them.
    config.model = ""  # .weights file, checkpoint folder or workdir of a run; "" starts from nothing
    config.cfg = "third_party/darknet/yolov2-voc.cfg"
    config.backbone = ""  # truncated .weights (darknet19_448.conv.23), with `cutoff` layers
    config.cutoff = 23
    config.anchors = "cfg"  # or "kmeans" over the shapes of the training set

    # The data: voc2007, voc2012, voc0712, devkit:FOLDER or shapes.
    config.data = "voc0712"
    config.data_dir = ""  # where TFDS keeps prepared data; "" is TFDS's own default
    config.names = ""  # a file with one class name per line; "" takes the model's or the data's
    config.train_split = "trainval"
    config.eval_split = "test"
    config.max_boxes = 50  # per training image; what is over it is dropped and counted

    # Training.
    config.batch_size = 32  # over all devices of all processes
    config.epochs = 100
    config.steps = 0  # in place of epochs if positive
    config.sizes = (416,)  # training sizes in pixels, a new one every 10 batches
    config.optimizer = "sgd"  # or "adam"
    config.learning_rate = 1e-4
    config.schedule = "constant"  # or "cosine"
    config.warmup_steps = 0
    config.momentum = 0.9
    config.decay = 5e-4
    config.jitter = 0.2
    config.hue = 0.1
    config.saturation = 1.5
    config.exposure = 1.5
    config.flip = True
    config.dtype = "float32"  # what to compute in; "bfloat16" keeps float32 parameters
    config.seed = 0
    config.threads = 2  # that decode and augment
    config.log_every = 20  # steps
    config.save_every = 500  # steps
    config.eval_every = 0  # steps; mAP for the log, 0: only at the end

    # Evaluation: the VOC protocol.
    config.size = 416
    config.eval_batch_size = 16
    config.score_threshold = 0.005
    config.nms_iou = 0.45
    config.pictures = 6  # test images in the report's picture
    return config
