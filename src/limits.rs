//! Every bound, with its reason. A number that limits something stands here or nowhere.
